/** Sources for tests: what a script loads, and several of them as one. */
import { collectSeries, compareLabels, cursorOf, ok, type SeriesSource } from "@pleiad/model";
import { createScriptStorage } from "./test-script-storage.ts";
import { parseTestScript } from "./test-script.ts";

/** What the `load` commands of a script leave. Throws where the text is no script. */
export function loadedSource(script: string): SeriesSource {
  const commands = parseTestScript(script);
  if (!commands.ok) throw new Error(commands.failure.reason);
  const storage = createScriptStorage();
  for (const command of commands.value) if (command.kind === "load") storage.load(command);
  return storage.source;
}

/** Sources that have no series in common, as one, for its series: it tells no labels. */
export function joinedSources(sources: readonly SeriesSource[]): SeriesSource {
  return {
    select: (request, signal) => {
      const all = sources.map(async (one) => (await collectSeries(one.select(request, signal))).series);
      let isRead = false;
      return {
        ...cursorOf([]),
        async next() {
          if (isRead) return undefined;
          isRead = true;
          return (await Promise.all(all)).flat().sort((a, b) => compareLabels(a.labels, b.labels));
        },
      };
    },
    labelNames: async () => ok({ values: [], warnings: [] }),
    labelValues: async () => ok({ values: [], warnings: [] }),
  };
}

/** The hierarchy as the page knows it, asked for anew every few seconds while the page is visible. */
import { signal } from "@preact/signals";
import { fetchState, type HierarchyState } from "./api.ts";

export const hierarchy = signal<HierarchyState | undefined>(undefined);
export const connectionLost = signal<string | undefined>(undefined);

const pollMs = 3000;
const timeoutMs = 20_000;

export function watchHierarchy(): () => void {
  let over = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const poll = async () => {
    if (!document.hidden) {
      try {
        hierarchy.value = await fetchState(AbortSignal.timeout(timeoutMs));
        connectionLost.value = undefined;
      } catch (error) {
        connectionLost.value = error instanceof Error ? error.message : String(error);
      }
    }
    if (!over) timer = setTimeout(() => void poll(), pollMs);
  };
  void poll();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

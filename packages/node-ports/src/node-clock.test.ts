import { runClockAcceptance } from "@pleiad/ports/acceptance";
import { nodeClock } from "./node-clock.ts";

runClockAcceptance("node", () => {
  const clock = nodeClock();
  return { clock, pass: (spanMs) => clock.sleep(spanMs) };
});

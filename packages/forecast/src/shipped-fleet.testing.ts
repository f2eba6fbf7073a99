/** The fleet files that ship, read and planned: what tests of forecasts start from. */
import { readFileSync } from "node:fs";
import { planFleet, readFleet, type Fleet, type Plan } from "@pleiad/fleet";

export function fleetOf(text: string): Fleet {
  const fleet = readFleet(text, "fleet.yaml");
  if (!fleet.ok) throw new Error(JSON.stringify(fleet.failure.problems));
  return fleet.value;
}

export function shippedText(name: string): string {
  return readFileSync(new URL(`../../../fleets/${name}.yaml`, import.meta.url), "utf8");
}

export function shippedFleet(name: string): Fleet {
  return fleetOf(shippedText(name));
}

/** With what of an older plan can stay, where one is given. */
export function planned(fleet: Fleet, previous?: Plan): Plan {
  const plan = planFleet(fleet, { previous });
  if (!plan.ok) throw new Error(JSON.stringify(plan.failure.problems));
  return plan.value;
}

/** Command lines of Thanos: what a flag says, what became of it, and whom an address names. */
import type { RoleKey } from "@pleiad/fleet";

export interface Flag {
  readonly name: string; // without dashes
  readonly value: string; // empty where there is none
}

export function parseFlag(text: string): Flag {
  const [, name = text, value = ""] = /^--?([^=\s]+)(?:[=\s]+([\s\S]*))?$/.exec(text) ?? [];
  return { name, value };
}

/** A release as numbers; undefined where the text is none. */
export type Version = readonly [major: number, minor: number, patch: number];

/** `v0.37.2` or `0.37.2` */
export function parseVersion(text: string): Version | undefined {
  const parts = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/.exec(text);
  return parts === null ? undefined : [Number(parts[1]), Number(parts[2]), Number(parts[3] ?? 0)];
}

export function isBefore(a: Version, b: Version): boolean {
  return a[0] !== b[0] ? a[0] < b[0] : a[1] !== b[1] ? a[1] < b[1] : a[2] < b[2];
}

/** Flags that do not last, with the release that ends them. Sources: Thanos's CHANGELOG 0.38 to 0.43, docs/components. */
export const fadingFlags: Readonly<
  Record<string, { readonly end: "removed" | "deprecated"; readonly since: Version; readonly instead: string }>
> = {
  store: { end: "removed", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  rule: { end: "removed", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  metadata: { end: "removed", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  exemplar: { end: "removed", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  target: { end: "removed", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  "debug.advertise-compatibility-label": { end: "removed", since: [0, 42, 0], instead: "nothing" },
  "store.sd-files": { end: "deprecated", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  endpoint: { end: "deprecated", since: [0, 38, 0], instead: "--endpoint.sd-config-file" },
  "endpoint-strict": { end: "deprecated", since: [0, 38, 0], instead: "strict: true in an endpoint file" },
  "endpoint-group": { end: "deprecated", since: [0, 38, 0], instead: "group: true in an endpoint file" },
};

/** Flags whose value is an address that a querier asks, and of those the ones that ask one replica of many. */
const addressFlags = ["store", "endpoint", "endpoint-strict", "endpoint-group", "endpoint-group-strict", "rule"];

export interface AskedAddress {
  readonly index: number; // of the flag
  readonly text: string;
  readonly lookup: "none" | "dns"; // dns: every address behind the name is an endpoint of its own
  readonly isGroup: boolean;
  readonly role: RoleKey | undefined; // that the name speaks of; undefined = cannot be told
}

export function addressesAsked(flags: readonly string[]): readonly AskedAddress[] {
  return flags.flatMap((flag, index) => {
    const { name, value } = parseFlag(flag);
    if (!addressFlags.includes(name) || value === "") return [];
    const lookup = /^dns(?:srv|srvnoa)?\+/.test(value) ? "dns" : "none";
    return [{ index, text: value, lookup, isGroup: name.startsWith("endpoint-group"), role: roleNamed(value) }];
  });
}

/** Roles are known by the words that their Services are named with. */
function roleNamed(address: string): RoleKey | undefined {
  const host = address.replace(/^dns(?:srv|srvnoa)?\+/, "");
  if (/rule/.test(host)) return "ruler";
  if (/store/.test(host)) return /regional/.test(host) ? "regional-store-gateway" : "global-store-gateway";
  if (/quer/.test(host)) return /regional/.test(host) ? "regional-querier" : "global-querier";
  return undefined;
}

/**
 * Endpoints whose chunks are read before they are passed on: one that sends a damaged chunk fails, and is named. It takes as long
 * as to evaluate them, so it is for a query that has met damage and does not know whose.
 */
import { formatLabels, type SourceFailure } from "@pleiad/model";
import type { Endpoint } from "./endpoint.ts";
import { decodeSourceChunk } from "./replica-lines.ts";
import type { ReplicaSet } from "./replica-set.ts";
import type { StoreCursor } from "./store-client.ts";

export function verifiedSets(sets: readonly ReplicaSet[]): readonly ReplicaSet[] {
  return sets.map((set) => ({ ...set, endpoints: set.endpoints.map(verifiedEndpoint) }));
}

function verifiedEndpoint(endpoint: Endpoint): Endpoint {
  const { client, spec } = endpoint;
  const select: Endpoint["client"]["select"] = (request, signal) => verified(client.select(request, signal), spec.name);
  return { ...endpoint, client: { ...client, select } };
}

function verified(cursor: StoreCursor, source: string): StoreCursor {
  let failure: SourceFailure | undefined;
  return {
    async next() {
      const batch = failure === undefined ? await cursor.next() : undefined;
      const damaged = batch?.find(({ chunks }) => chunks.some((chunk) => decodeSourceChunk(chunk) === undefined));
      if (damaged === undefined) return batch;
      failure = { kind: "corrupt", source, reason: `a damaged chunk of ${formatLabels(damaged.labels)}` };
      cursor.close();
      return undefined;
    },
    get failure() {
      return failure ?? cursor.failure;
    },
    get warnings() {
      return cursor.warnings;
    },
    get receivedBytes() {
      return cursor.receivedBytes;
    },
    close: () => cursor.close(),
  };
}

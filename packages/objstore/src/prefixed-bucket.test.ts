import { runBucketAcceptance } from "@pleiad/ports/acceptance";
import { memoryBucket } from "@pleiad/ports/testing";
import { expect, it } from "vitest";
import { withPrefix } from "./prefixed-bucket.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

runBucketAcceptance("under a prefix", async () => ({
  bucket: withPrefix(memoryBucket(), "fleet/one"),
  close: async () => {},
}));

it("sees nothing beside its prefix", async () => {
  const whole = memoryBucket();
  await whole.put("fleet/one", bytes("an object with the prefix's name"));
  await whole.put("fleet/one-more/a", bytes("x"));
  const bucket = withPrefix(whole, "fleet/one");
  await bucket.put("a", bytes("x"));
  const keys: string[] = [];
  for await (const key of bucket.list("")) keys.push(key);
  expect([keys, [...whole.objects.keys()].sort()]).toEqual([["a"], ["fleet/one", "fleet/one-more/a", "fleet/one/a"]]);
});

it.each(["", "/", "a/", "/a", "a/../b"])("has no prefix %j", (prefix) => {
  expect(() => withPrefix(memoryBucket(), prefix)).toThrow("invalid-key");
});

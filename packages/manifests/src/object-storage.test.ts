/** Every kind of object storage that a fleet file may name, and what there is of it. */
import { describe, expect, it } from "vitest";
import { fleetText, objectsOf, rendered } from "./rendered-fleet.fixtures.ts";

const sevenNodes = fleetText("seven-nodes");
const withKind = (kind: string) => sevenNodes.replace("kind: seaweedfs", `kind: ${kind}`);
const withoutStore = (text: string) => text.replace(/^ {2}object-store.*\n/gm, "");

const own = ["NetworkPolicy", "Service", "ServiceAccount", "StatefulSet"];
const cases: readonly [kind: string, text: string, kinds: readonly string[]][] = [
  ["seaweedfs", withKind("seaweedfs"), own],
  ["silo", withKind("silo"), own],
  ["minio", withKind("minio"), own],
  ["rook", withoutStore(withKind("rook")), ["NetworkPolicy", "ObjectBucketClaim"]],
  ["external", withoutStore(withKind("external\n  endpoint: s3.example.com")), []],
];

describe("the folder s3", () => {
  for (const [kind, text, kinds] of cases) {
    it(`of ${kind} has ${kinds.join(", ") || "nothing: somebody else runs it"}`, () => {
      const objects = objectsOf(rendered(text)).filter(({ path }) => path.startsWith("s3/"));
      const found = new Set(objects.map(({ object }) => object.kind).filter((one) => one !== "Namespace"));
      expect([...found].filter((one) => one !== "PodDisruptionBudget").sort()).toEqual(kinds);
    });
  }

  it("claims from Rook the bucket that Thanos is told of", () => {
    const tree = rendered(withoutStore(withKind("rook")), { secrets: { kind: "external-secrets", store: "vault" } });
    const claim = objectsOf(tree).find(({ object }) => object.kind === "ObjectBucketClaim")?.object;
    const { bucketName } = (claim as unknown as { spec: { bucketName: string } }).spec;
    expect(tree.get("global/secrets.yaml")).toContain(`bucket: ${bucketName}\n`);
  });
});

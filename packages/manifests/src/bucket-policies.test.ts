/** What each key may do and what not, judged as S3 judges: nothing that no statement allows. */
import { describe, expect, it } from "vitest";
import { bucketPolicy, type PolicyDocument } from "./bucket-policies.ts";
import { fleetText, objectsOf, rendered } from "./rendered-fleet.fixtures.ts";

function allows({ Statement }: PolicyDocument, action: string, resource: string): boolean {
  return Statement.some(
    ({ Action, Resource }) => Action.includes(action) && Resource.some((pattern) => isMatch(pattern, resource)),
  );
}

/** `*` stands for any text, a slash included. */
function isMatch(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.$^{}()|[\]\\+?/]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}

const bucket = "arn:aws:s3:::metrics";
const block = `${bucket}/01JD000000000000000000000`;

// What Thanos asks of the bucket, by who asks it; the last three are what a stolen key would like to do.
const cases: readonly [
  what: string,
  action: string,
  resource: string,
  upload: boolean,
  read: boolean,
  compact: boolean,
][] = [
  ["finds out where the bucket is", "s3:GetBucketLocation", bucket, true, true, true],
  ["lists, and so is told what is not there", "s3:ListBucket", bucket, true, true, true],
  ["looks whether its block is there already", "s3:GetObject", `${block}/meta.json`, true, true, true],
  ["writes chunks", "s3:PutObject", `${block}/chunks/000001`, true, false, true],
  ["ends an upload of many parts that failed", "s3:AbortMultipartUpload", `${block}/index`, true, false, true],
  ["marks a block for deletion", "s3:PutObject", `${block}/deletion-mark.json`, true, false, true],
  ["reads an index", "s3:GetObject", `${block}/index`, false, true, true],
  ["reads chunks", "s3:GetObject", `${block}/chunks/000001`, false, true, true],
  ["deletes a block", "s3:DeleteObject", `${block}/index`, false, false, true],
  ["deletes versions", "s3:DeleteObjectVersion", `${block}/index`, false, false, false],
  ["changes the bucket's policy", "s3:PutBucketPolicy", bucket, false, false, false],
  ["writes to another bucket", "s3:PutObject", "arn:aws:s3:::metrics-2/x", false, false, false],
];

describe("keys", () => {
  for (const [what, action, resource, upload, read, compact] of cases) {
    const who = Object.entries({ upload, read, compact }).flatMap(([use, may]) => (may ? [use] : []));
    it(`${who.length === 0 ? "nobody" : who.join(", ")} ${what}`, () => {
      expect(
        (["upload", "read", "compact"] as const).filter((use) =>
          allows(bucketPolicy(use, "metrics"), action, resource),
        ),
      ).toEqual(who);
    });
  }
});

const sevenNodes = fleetText("seven-nodes");

describe("rendered policies", () => {
  const of = (kind: string) =>
    rendered(
      sevenNodes
        .replace("kind: seaweedfs", `kind: ${kind}`)
        .replace(/^ {2}object-store.*\n/gm, kind === "rook" ? "" : "$&"),
    );
  const read = (tree: ReadonlyMap<string, string>, path: string): unknown => JSON.parse(tree.get(path) ?? "null");

  it("are one an app cluster, and one a use of the monitoring cluster", () => {
    const paths = [...of("seaweedfs").keys()].filter((path) => path.endsWith(".json"));
    expect(paths.filter((path) => /^app-clusters\/cluster-\d{3}\/bucket-policy\.json$/.test(path))).toHaveLength(220);
    expect(paths.slice(-3)).toEqual(
      ["compact", "read", "upload"].map((use) => `bucket-policies/monitoring-${use}.json`),
    );
  });
  it("are identities of SeaweedFS, by the name of the policy that each has", () => {
    const { identities, policies } = read(of("seaweedfs"), "app-clusters/cluster-007/bucket-policy.json") as {
      identities: { name: string; credentials: unknown[]; policyNames: string[] }[];
      policies: { name: string; content: string }[];
    };
    expect(identities).toEqual([{ name: "cluster-007", credentials: [], policyNames: ["pleiad-upload"] }]);
    expect(policies.map(({ name }) => name)).toEqual(["pleiad-upload"]);
    expect(allows(JSON.parse(policies[0]?.content ?? "") as PolicyDocument, "s3:DeleteObject", "*")).toBe(false);
  });
  it("are S3's own for MinIO and its successor", () => {
    for (const kind of ["silo", "minio"]) {
      const policy = read(of(kind), "bucket-policies/monitoring-read.json") as PolicyDocument;
      expect(policy.Statement.flatMap(({ Action }) => Action)).toEqual([
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:GetObject",
      ]);
    }
  });
  it("name whom they are for where they are the bucket's", () => {
    const policy = read(of("rook"), "app-clusters/cluster-007/bucket-policy.json") as PolicyDocument;
    expect(new Set(policy.Statement.map(({ Principal }) => Principal?.AWS.join()))).toEqual(
      new Set(["arn:aws:iam:::user/cluster-007"]),
    );
  });
  it("go with a Secret each: no role has keys that may do more than it has to", () => {
    const secretsOf = (kind: string) =>
      objectsOf(of("seaweedfs")).flatMap(({ object }) => {
        if (object.kind !== "StatefulSet" || object.metadata?.name?.startsWith(kind) !== true) return [];
        return [...JSON.stringify(object).matchAll(/"secretName":"(object-storage[^"]*)"/g)].map(([, name]) => name);
      });
    expect(new Set(secretsOf("store-gateway"))).toEqual(new Set(["object-storage-read"]));
    expect(new Set(secretsOf("compactor"))).toEqual(new Set(["object-storage-compact"]));
    expect(new Set(secretsOf("ruler"))).toEqual(new Set(["object-storage"]));
  });
});

/**
 * What each holder of keys may do in the bucket, in the words of the object storage. Thanos keeps the blocks of all
 * clusters side by side in one folder, so that a key is confined by what it does and not by where: who uploads can
 * neither read blocks nor delete any, and what it could overwrite, versions of the bucket bring back.
 */
import type { FleetObjectStorage } from "@pleiad/fleet";
import type { Deployment } from "./deployment.ts";
import { bucketUses, type BucketUse } from "./object-storage-config.ts";
import type { RenderedTree } from "./rendered-tree.ts";

/** The language of S3's own policies, which MinIO and its successor have as well. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Principal?: { readonly AWS: readonly string[] }; // where a policy is the bucket's and not its holder's
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

export function bucketPolicy(use: BucketUse, bucket: string): PolicyDocument {
  const whole = `arn:aws:s3:::${bucket}`;
  const allow = (Sid: string, Action: readonly string[], Resource: string): PolicyStatement => ({
    Sid,
    Effect: "Allow",
    Action,
    Resource: [Resource],
  });
  // Without the right to list, what is not there is told as forbidden, and Thanos takes that for a failure.
  const find = allow("Find", ["s3:GetBucketLocation", "s3:ListBucket"], whole);
  const write = allow(
    "Write",
    ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"],
    `${whole}/*`,
  );
  const read = allow("Read", ["s3:GetObject"], `${whole}/*`);
  const statements: Readonly<Record<BucketUse, readonly PolicyStatement[]>> = {
    // Whether a block is there already, its meta.json tells: written last, and all that is read back.
    upload: [find, write, allow("SeeWhatIsThere", ["s3:GetObject"], `${whole}/*/meta.json`)],
    read: [find, read],
    compact: [find, read, write, allow("Delete", ["s3:DeleteObject"], `${whole}/*`)],
  };
  return { Version: "2012-10-17", Statement: statements[use] };
}

/** Who has keys of its own, with the name that it is known by at the object storage. */
export interface BucketPrincipal {
  readonly name: string;
  readonly use: BucketUse;
  readonly file: string; // of its policy, below the rendered folder
}

/** The monitoring cluster's first, one a use, then one an app cluster. */
export function bucketPrincipals(deployment: Deployment): readonly BucketPrincipal[] {
  return [
    ...bucketUses(deployment).map((use): BucketPrincipal => ({
      name: `monitoring-${use}`,
      use,
      file: `bucket-policies/monitoring-${use}.json`,
    })),
    ...deployment.plan.clusters.map(({ name }) => clusterPrincipal(name)),
  ];
}

export function clusterPrincipal(cluster: string): BucketPrincipal {
  return { name: cluster, use: "upload", file: `app-clusters/${cluster}/bucket-policy.json` };
}

/** One file a principal; none where the fleet has no bucket. */
export function bucketPolicyFiles(deployment: Deployment): RenderedTree {
  const { storage } = deployment;
  if (storage === undefined) return new Map();
  return new Map(
    bucketPrincipals(deployment).map((principal) => [
      principal.file,
      `${JSON.stringify(policyFor(storage, principal), undefined, 2)}\n`,
    ]),
  );
}

function policyFor({ kind, bucket }: FleetObjectStorage, { name, use }: BucketPrincipal): unknown {
  const policy = bucketPolicy(use, bucket);
  switch (kind) {
    case "seaweedfs":
      // A part of its s3.json: the keys are put into `credentials` where that file is kept.
      return {
        identities: [{ name, credentials: [], policyNames: [`pleiad-${use}`] }],
        policies: [{ name: `pleiad-${use}`, content: JSON.stringify(policy) }],
      };
    case "rook":
      // Ceph's users have no policies of their own, its buckets have.
      return {
        ...policy,
        Statement: policy.Statement.map((one) => ({ ...one, Principal: { AWS: [`arn:aws:iam:::user/${name}`] } })),
      };
    case "external":
    case "silo":
    case "minio":
      return policy;
    default:
      return kind satisfies never;
  }
}

/** Commands, a line each, that give a principal its keys, `output` being the rendered folder. */
export function bucketKeySteps(
  { storage, settings }: Deployment,
  principal: BucketPrincipal,
  output: string,
): readonly string[] {
  const { name, use } = principal;
  const file = `${output}/${principal.file}`;
  if (storage === undefined) return [];
  const { kind, bucket } = storage;
  switch (kind) {
    case "external":
      return [
        `aws iam create-user --user-name ${name}`,
        `aws iam put-user-policy --user-name ${name} --policy-name pleiad-${use} --policy-document file://${file}`,
        `aws iam create-access-key --user-name ${name}`,
      ];
    case "minio":
    case "silo":
      return [
        `mc admin policy create STORE pleiad-${use} ${file}`,
        `mc admin user add STORE ${name}`,
        `mc admin policy attach STORE pleiad-${use} --user ${name}`,
      ];
    case "seaweedfs":
      return [
        `add ${file}, with new keys in it, to the s3.json of the Secret ${settings.storageNamespace}/object-store`,
        `kubectl -n ${settings.storageNamespace} rollout restart statefulset/object-store`,
      ];
    case "rook":
      return [
        `radosgw-admin user create --uid=${name} --display-name=${name}`,
        `add the statements of ${file} to the policy of the bucket ${bucket}: aws s3api put-bucket-policy`,
      ];
    default:
      return kind satisfies never;
  }
}

/**
 * Which file holds an object. A key is its own path, so that whoever knows the folder layout of Thanos or Prometheus
 * finds what is there:
 *
 *     a/b/c  →  <directory>/a/b/c       (`%` and `\` in a segment become %25 and %5C)
 *
 * Where a key is also the folder of other keys, the object stands beside the folder as `c%object`. Names with a `%` that
 * encodes nothing are the bucket's own.
 */
import { BucketError, checkKey, keyFault, type DirectoryEntry } from "@pleiad/ports";

/** What the bucket keeps for itself, in its directory. */
export const ownName = "%pleiad";
const displacedSuffix = "%object";
const fileNameBytesMax = 255 - displacedSuffix.length;

/** Throws BucketError "invalid-key", also for a segment that no file name can hold. */
export function pathOf(directory: string, key: string): string {
  checkKey(key);
  const segments = key.split("/").map(encodeSegment);
  for (const segment of segments) {
    const byteCount = new TextEncoder().encode(segment).length;
    if (byteCount > fileNameBytesMax) {
      throw new BucketError("invalid-key", key, `segment of ${byteCount} bytes, a file name holds ${fileNameBytesMax}`);
    }
  }
  return `${directory}/${segments.join("/")}`;
}

/** Where the object of a path stands when the path is a folder. */
export function displacedPathOf(path: string): string {
  return path + displacedSuffix;
}

/** The folder of the keys that start with `parent`, which ends in a slash or is empty. */
export function folderOf(directory: string, parent: string): string {
  return `${directory}/${parent.split("/").map(encodeSegment).join("/")}`.slice(0, -1);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** What an entry of a folder stands for: a segment of keys, with its slash if keys go on; undefined for what is no key. */
export function segmentOf({ name, kind }: DirectoryEntry): string | undefined {
  const isDisplaced = kind === "file" && name.endsWith(displacedSuffix);
  const encoded = isDisplaced ? name.slice(0, -displacedSuffix.length) : name;
  if (kind === "other" || /%(?!25|5C)|\\/.test(encoded)) return undefined;
  const segment = encoded.replaceAll("%5C", "\\").replaceAll("%25", "%");
  if (keyFault(segment) !== undefined) return undefined;
  return kind === "directory" ? `${segment}/` : segment;
}

function encodeSegment(segment: string): string {
  return segment.replaceAll("%", "%25").replaceAll("\\", "%5C");
}

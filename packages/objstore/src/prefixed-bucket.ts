/** A part of a bucket that looks like a bucket: all keys under one prefix. */
import { checkKey, type Bucket } from "@pleiad/ports";

/** `prefix` is the text of a key, without a slash at its ends. Throws BucketError "invalid-key" for any other. */
export function withPrefix(bucket: Bucket, prefix: string): Bucket {
  checkKey(prefix);
  const start = `${prefix}/`;
  const outer = (key: string) => {
    checkKey(key); // as itself: behind the prefix, an empty key would be told as something else
    return start + key;
  };
  return {
    name: bucket.name,
    put: async (key, body, options) => bucket.put(outer(key), body, options),
    get: async (key, range, signal) => bucket.get(outer(key), range, signal),
    attributes: async (key, signal) => bucket.attributes(outer(key), signal),
    delete: async (key, signal) => bucket.delete(outer(key), signal),
    async *list(inner, { after, ...options } = {}) {
      const from = after === undefined ? {} : { after: start + after };
      for await (const key of bucket.list(start + inner, { ...options, ...from })) yield key.slice(start.length);
    },
  };
}

/**
 * Strict schemas of Kubernetes and of custom resources, as scripts/condense-schemas.ts makes them: a field that the
 * schema does not know is an error.
 */
import type { Ajv, ErrorObject, ValidateFunction } from "ajv";
import { objectKey, type KubernetesObject } from "./kubernetes-object.ts";

/** The content of one schema file. */
export interface SchemaFile {
  readonly kinds: Readonly<Record<string, string>>; // "apps/v1 Deployment" to the name of its definition
  readonly definitions: Readonly<Record<string, unknown>>;
}

export interface StrictSchemas {
  /** What is wrong with an object, each with its place in it; empty where it is right. A kind without schema is wrong. */
  check(object: KubernetesObject): readonly string[];
}

/** Files are taken together: a custom resource's metadata is what Kubernetes's own schema says. */
export function strictSchemas(files: readonly SchemaFile[], ajv: Ajv): StrictSchemas {
  const kinds = new Map(files.flatMap((file) => Object.entries(file.kinds)));
  const definitions = Object.assign({}, ...files.map((file) => file.definitions)) as Record<string, unknown>;
  ajv.addSchema({ $id: "objects", definitions });
  const compiled = new Map<string, ValidateFunction>();
  return {
    check(object) {
      const title = `${object.apiVersion} ${object.kind}`;
      const name = kinds.get(title);
      if (name === undefined) return [`${objectKey(object)}: no schema of ${title}`];
      let validate = compiled.get(name);
      if (validate === undefined) {
        validate = ajv.compile({ $ref: `objects#/definitions/${name.replaceAll("/", "~1")}` });
        compiled.set(name, validate);
      }
      if (validate(object)) return [];
      return (validate.errors ?? []).map((error) => `${objectKey(object)}${error.instancePath}: ${wordsOf(error)}`);
    },
  };
}

function wordsOf({ keyword, message, params }: ErrorObject): string {
  if (keyword === "additionalProperties") return `the field ${String(params["additionalProperty"])} does not exist`;
  return message ?? keyword;
}

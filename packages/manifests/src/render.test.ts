import { describe, expect, it } from "vitest";
import { fleetText, kubernetesVersions, objectsOf, rendered, schemasOf } from "./rendered-fleet.fixtures.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";

const sevenNodes = fleetText("seven-nodes");
const tree = rendered(sevenNodes);

describe("strict schemas", () => {
  for (const kubernetes of kubernetesVersions) {
    it(`of Kubernetes ${kubernetes} find every object right`, () => {
      const schemas = schemasOf(kubernetes);
      expect(
        objectsOf(tree).flatMap(({ path, object }) => schemas.check(object).map((wrong) => `${path}: ${wrong}`)),
      ).toEqual([]);
    });
  }

  it("catch planted faults", () => {
    const schemas = schemasOf("1.36");
    const querier = objectsOf(tree).find(({ object }) => object.kind === "Deployment")?.object;
    const planted: readonly [what: string, change: (text: string) => string, found: RegExp][] = [
      ["a field that is misspelt", (text) => text.replace('"replicas":', '"replica":'), /field replica does not exist/],
      [
        "a field at the wrong place",
        (text) => text.replace('"spec":{', '"image":"x","spec":{'),
        /field image does not/,
      ],
      ["a number where text is wanted", (text) => text.replace(/"image":"[^"]*"/, '"image":7'), /must be string/],
      ["an unknown kind", (text) => text.replace('"kind":"Deployment"', '"kind":"Deploymet"'), /no schema/],
    ];
    for (const [what, change, found] of planted) {
      const changed = JSON.parse(change(JSON.stringify(querier))) as KubernetesObject;
      expect(schemas.check(changed).join("\n"), what).toMatch(found);
    }
  });
});

import { describe, expect, it } from "vitest";
import { createAlikeQueries, shareEvaluation, type SharedEvaluation } from "./alike-queries.ts";

const never = new AbortController().signal;

describe("alike queries", () => {
  it("are taken together, those that left are not, and later ones wait anew", () => {
    const alike = createAlikeQueries<number>();
    const told: string[] = [];
    const wait = (key: string, name: string) => alike.wait(key, () => told.push(name));
    wait("a", "first");
    const leave = wait("a", "second");
    wait("a", "third");
    wait("b", "other");
    leave();
    const evaluation: SharedEvaluation<number> = { join: async () => 1 };
    const taken = alike.take("a");
    const leaveLate = wait("a", "later");
    for (const adopt of taken) adopt(evaluation);
    expect(told).toEqual(["first", "third"]);
    expect(alike.take("a")).toHaveLength(1);
    leaveLate();
    expect(alike.take("a")).toEqual([]);
    expect(alike.take("b")).toHaveLength(1);
  });
});

describe("a shared evaluation", () => {
  const begin = () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let signal = never;
    const evaluation = shareEvaluation(async (own) => {
      signal = own;
      return await promise;
    });
    return { evaluation, resolve, reject, isGivenUp: () => signal.aborted };
  };

  it("gives all the same", async () => {
    const { evaluation, resolve } = begin();
    const answers = [evaluation.join(never), evaluation.join(never)];
    resolve("whole");
    expect(await Promise.all(answers)).toEqual(["whole", "whole"]);
  });

  it("fails for all", async () => {
    const { evaluation, reject } = begin();
    const answers = [evaluation.join(never), evaluation.join(never)];
    reject(new Error("a bug"));
    const outcomes = await Promise.allSettled(answers);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  it("goes on while one is left, and is given up with the last", async () => {
    const { evaluation, isGivenUp } = begin();
    const [one, other] = [new AbortController(), new AbortController()];
    const answers = [evaluation.join(one.signal), evaluation.join(other.signal)];
    one.abort();
    expect(await answers[0]).toBeUndefined();
    expect(isGivenUp()).toBe(false);
    other.abort();
    expect(await answers[1]).toBeUndefined();
    expect(isGivenUp()).toBe(true);
  });
});

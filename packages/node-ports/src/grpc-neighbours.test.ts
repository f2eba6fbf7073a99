/** One call to several listeners of a process, over real connections. */
import { RpcError, type Listener, type RpcHandler, type RpcShare, type RpcTogether } from "@pleiad/ports";
import { testPorts } from "@pleiad/ports/testing";
import { afterEach, describe, expect, it } from "vitest";
import {
  decodeShare,
  decodeSharedRequest,
  eachListenerMethod,
  encodeShare,
  encodeSharedRequest,
} from "./grpc-shares.ts";
import { nodeClock } from "./node-clock.ts";
import { nodeNetwork } from "./node-network.ts";
import { nodeRandom } from "./node-random.ts";

const method = "/t.T/Each";
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const options = { signal: new AbortController().signal, timeoutMs: 10_000, messageBytesMax: 1_048_576 };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const named: RpcHandler = { kind: "unary", handle: async (request) => request };

function openProcess() {
  const { observations } = testPorts();
  const network = nodeNetwork({ clock: nodeClock(), random: nodeRandom(), observations });
  const serve = async (handler: RpcHandler): Promise<Listener> => {
    const handlers = new Map([
      [method, handler],
      ["/t.T/Name", named],
    ]);
    const listener = await network.serveRpc("127.0.0.1:0", handlers);
    closers.push(() => listener.close(0));
    return listener;
  };
  const clientOf = async ({ address }: Listener) => {
    const client = network.rpcClient(address);
    closers.push(() => client.close());
    await client.call("/t.T/Name", bytes(""), options);
    return client;
  };
  return { serve, clientOf };
}

const answering = (...texts: readonly string[]): Extract<RpcHandler, { kind: "stream" }> => ({
  kind: "stream",
  async *handle(request) {
    for (const one of texts) yield [bytes(`${one} ${text(request)}`)];
  },
});

async function askAll(process: ReturnType<typeof openProcess>, listeners: readonly Listener[], also: string[] = []) {
  const clients = await Promise.all(listeners.map(process.clientOf));
  const names = clients.map((client) => client.listener?.()?.listener ?? "none");
  const shares: RpcShare[] = [];
  for await (const some of clients[0]?.streamEach?.(method, bytes("?"), [...names, ...also], options) ?? []) {
    shares.push(...some);
  }
  return describeShares(shares);
}

/** What each listener gave, by its place. */
function describeShares(shares: readonly RpcShare[]): readonly string[] {
  const lines: string[] = [];
  for (const share of shares) {
    const what = describeShare(share);
    lines[share.index] = [lines[share.index], what].filter((one) => one !== undefined).join(", ");
  }
  return lines;
}

function describeShare(share: RpcShare): string {
  switch (share.kind) {
    case "message":
      return text(share.message);
    case "absent":
      return "absent";
    case "within":
      return `within ${share.leader}`;
    default:
      return share.failure === undefined ? "end" : `${share.failure.code} ${share.failure.message}`;
  }
}

describe("listeners that answer together", () => {
  /** Says its name, and with others of its group that it did so for them. */
  const sharing = (name: string, group: object, answer: RpcTogether["handle"]): RpcHandler => ({
    ...answering(name),
    together: { group, handle: answer },
  });
  const forAll: RpcTogether["handle"] = (request, members) =>
    (async function* () {
      yield [bytes(`${members.length} ${text(request)}`)];
      yield [bytes("all")];
    })();
  const failing: RpcTogether["handle"] = () =>
    // eslint-disable-next-line require-yield
    (async function* () {
      throw new RpcError("ABORTED", "one lacks something");
    })();
  const [one, other] = [{}, {}];
  const cases: readonly (readonly [rule: string, handlers: readonly RpcHandler[], shares: readonly string[]])[] = [
    [
      "give one answer for those of one group",
      [sharing("a", one, forAll), answering("b"), sharing("c", one, forAll), sharing("d", one, forAll)],
      ["3 ?, all, end", "b ?, end", "within 0", "within 0"],
    ],
    [
      "give one for each group",
      [sharing("a", one, forAll), sharing("b", other, forAll), sharing("c", one, forAll), sharing("d", other, forAll)],
      ["2 ?, all, end", "2 ?, all, end", "within 0", "within 1"],
    ],
    [
      "are asked alone where one of a group was asked",
      [sharing("a", one, forAll), answering("b")],
      ["a ?, end", "b ?, end"],
    ],
    [
      "are asked one by one where the group says so",
      [sharing("a", one, () => undefined), sharing("b", one, () => undefined)],
      ["a ?, end", "b ?, end"],
    ],
    [
      "are asked one by one where the group fails",
      [
        sharing("a", one, failing),
        sharing("b", one, failing),
        sharing("c", other, forAll),
        sharing("d", other, forAll),
      ],
      ["a ?, end", "b ?, end", "2 ?, all, end", "within 2"],
    ],
  ];
  it.each(cases)("%s", async (_rule, handlers, shares) => {
    const process = openProcess();
    const listeners: Listener[] = [];
    for (const handler of handlers) listeners.push(await process.serve(handler));
    expect(await askAll(process, listeners)).toEqual(shares);
  });
});

describe("one call to the listeners of a process", () => {
  it("gives what each answers, under its place", async () => {
    const process = openProcess();
    const listeners = [await process.serve(answering("a", "b")), await process.serve(answering("c"))];
    expect(await askAll(process, listeners)).toEqual(["a ?, b ?, end", "c ?, end"]);
  });

  it("a listener that fails ends its own share, in its own words", async () => {
    const process = openProcess();
    const failing: RpcHandler = {
      kind: "stream",
      // eslint-disable-next-line require-yield
      async *handle() {
        throw new RpcError("FAILED_PRECONDITION", "not so – never");
      },
    };
    const listeners = [await process.serve(answering("a")), await process.serve(failing), await process.serve(named)];
    expect(await askAll(process, listeners)).toEqual([
      "a ?, end",
      "FAILED_PRECONDITION not so – never",
      `UNIMPLEMENTED unknown method ${method}`,
    ]);
  });

  it("one that listens no more is absent, and so is one of another process", async () => {
    const process = openProcess();
    const other = openProcess();
    const listeners = [await process.serve(answering("a")), await process.serve(answering("b"))];
    const closed = await process.serve(answering("c"));
    const name = (await process.clientOf(closed)).listener?.()?.listener ?? "";
    await closed.close(0);
    const elsewhere = (await other.clientOf(await other.serve(answering("d")))).listener?.();
    expect(await askAll(process, listeners, [name, elsewhere?.listener ?? ""])).toEqual([
      "a ?, end",
      "b ?, end",
      "absent",
      "absent",
    ]);
    expect(elsewhere?.process).not.toBe(name.split(".")[0]);
  });

  it("more than the peer reads waits, and comes whole", async () => {
    const process = openProcess();
    const many = Array.from({ length: 300 }, (_, i) => `${i} ${"x".repeat(10_000)}`);
    const listeners = [await process.serve(answering(...many)), await process.serve(answering(...many))];
    const whole = [...many.map((one) => `${one} ?`), "end"].join(", ");
    expect(await askAll(process, listeners)).toEqual([whole, whole]);
  });

  it("who leaves ends the work of all", async () => {
    const process = openProcess();
    const ended: string[] = [];
    const endless = (name: string): RpcHandler => ({
      kind: "stream",
      async *handle(_, { signal }) {
        yield [bytes(name)];
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        ended.push(name);
        yield [];
      },
    });
    const listeners = [await process.serve(endless("a")), await process.serve(endless("b"))];
    const clients = await Promise.all(listeners.map(process.clientOf));
    const names = clients.map((client) => client.listener?.()?.listener ?? "");
    let seen = 0;
    for await (const shares of clients[0]?.streamEach?.(method, bytes(""), names, options) ?? []) {
      seen += shares.length;
      if (seen === 2) break;
    }
    await expect.poll(() => ended.toSorted()).toEqual(["a", "b"]);
  });

  it("a request that is cut short is refused", async () => {
    const process = openProcess();
    const client = await process.clientOf(await process.serve(answering("a")));
    const asking = client.stream(eachListenerMethod, Uint8Array.of(0, 0, 0, 9, 1), options);
    await expect(asking[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("shares", () => {
  const shares: readonly RpcShare[] = [
    { kind: "message", index: 0, message: bytes("m") },
    { kind: "message", index: 300, message: new Uint8Array(0) },
    { kind: "end", index: 65_536, failure: undefined },
    { kind: "end", index: 1, failure: new RpcError("DATA_LOSS", "ä") },
    { kind: "absent", index: 2 },
  ];
  for (const share of shares) {
    it(`${share.kind} of ${share.index} reads as it was written`, () => {
      expect(decodeShare(Uint8Array.from(encodeShare(share)), 70_000)).toEqual(share);
    });
  }

  it("a request reads as it was written", () => {
    const request = { method, listeners: ["p.1", "p.2"], request: bytes("?") };
    expect(decodeSharedRequest(encodeSharedRequest(request))).toMatchObject({ method, listeners: ["p.1", "p.2"] });
  });

  for (const [rule, broken] of [
    ["is cut short", [0, 0, 0, 0]],
    ["is of nobody that was asked", [0, 0, 0, 2, 1, 0]],
    ["is of a kind that there is not", [0, 0, 0, 1, 9, 0]],
    ["ends without a status", [0, 0, 0, 1, 1]],
  ] as const) {
    it(`one that ${rule} is an error`, () => {
      expect(() => decodeShare(Uint8Array.from(broken), 2)).toThrow("an answer of no listener");
    });
  }
});

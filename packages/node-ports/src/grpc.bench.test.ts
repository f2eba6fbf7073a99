import { describe, expect, it } from "vitest";
import { benchGrpcStream } from "./grpc.bench.ts";

describe("gRPC benchmark", () => {
  it.each([
    ["pleiad", "pleiad"],
    ["pleiad", "grpc-js"],
    ["grpc-js", "pleiad"],
    ["grpc-js", "grpc-js"],
  ] as const)("%s to %s brings every message", async (server, client) => {
    const { checksum, messagesPerSecond } = await benchGrpcStream(server, client, 1000, 530);
    expect(checksum).toBe((999 * 1000) / 2 + 1000 * 530);
    expect(messagesPerSecond).toBeGreaterThan(0);
  });
});

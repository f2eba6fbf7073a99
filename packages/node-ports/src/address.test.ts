import { describe, expect, it } from "vitest";
import { formatAddress, parseAddress } from "./address.ts";

describe("addresses", () => {
  it.each([
    ["127.0.0.1:9090", "127.0.0.1", 9090],
    ["leaf-1.monitoring.svc:10901", "leaf-1.monitoring.svc", 10_901],
    ["[::1]:80", "::1", 80],
    ["localhost:0", "localhost", 0],
  ])("%s is read", (address, host, port) => {
    expect(parseAddress(address)).toEqual({ host, port });
  });

  it.each(["9090", ":9090", "localhost", "localhost:", "localhost:65536", "::1:80", "http://a:80", "a b:1", "a:-1"])(
    "%j is refused, with what was expected",
    (address) => {
      expect(() => parseAddress(address)).toThrow(`${address}: expected host:port, such as 127.0.0.1:9090`);
    },
  );

  it("are shown with brackets around IPv6", () => {
    expect(formatAddress({ address: "::1", port: 80 })).toBe("[::1]:80");
    expect(formatAddress({ address: "127.0.0.1", port: 80 })).toBe("127.0.0.1:80");
  });
});

import { describe, expect, it } from "vitest";
import { durationReader, readCount, readCpu, readNetworkRate, readSize } from "./quantities.ts";

const hour = 3_600_000;

describe("amounts become whole numbers", () => {
  for (const [read, value, amount] of [
    [readCpu, 4, 4000],
    [readCpu, 0.5, 500],
    [readCpu, 0.1, 100],
    [readCpu, 1.005, 1005],
    [readCpu, "500m", 500],
    [readSize, "8Gi", 8 * 2 ** 30],
    [readSize, "0.5Gi", 2 ** 29],
    [readSize, "1Ki", 1024],
    [readSize, "10Ti", 10 * 2 ** 40],
    [readNetworkRate, "10Gbit/s", 1e10],
    [readNetworkRate, "100Mbit/s", 1e8],
    [readCount, 0, 0],
    [readCount, 50_000, 50_000],
    [readCount, "100k", 100_000],
    [readCount, "1.5M", 1_500_000],
    [readCount, "1.1M", 1_100_000],
    [durationReader(0, 48 * hour), "1h30m", 1.5 * hour],
    [durationReader(0, 48 * hour), "0s", 0],
  ] as const) {
    it(`${JSON.stringify(value)} is ${amount}`, () => expect(read(value)).toEqual({ ok: true, value: amount }));
  }
});

describe("what is no amount is refused with its own code", () => {
  for (const [read, value, code, hint] of [
    [readCpu, "4", "CPU", "remove the quotes"],
    [readCpu, "4 cores", "CPU", "write 4 for 4 cores"],
    [readCpu, null, "CPU", undefined],
    [readCpu, Number.NaN, "RANGE", undefined],
    [readCpu, 0.0001, "RANGE", undefined],
    [readCpu, 1e9, "RANGE", undefined],
    [readSize, "8G", "SIZE", "write 8Gi"],
    [readSize, "8gb", "SIZE", "write 8Gi"],
    [readSize, "8 Gi", "SIZE", "write 8Gi"],
    [readSize, "Gi", "SIZE", undefined],
    [readSize, "99Pi", "RANGE", undefined],
    [readNetworkRate, "10Gbps", "NETWORK", undefined],
    [readNetworkRate, "1GB/s", "NETWORK", "bytes per second times 8 is bits per second"],
    [readCount, "100", "COUNT", "remove the quotes"],
    [readCount, -1, "RANGE", undefined],
    [readCount, "0.0001k", "COUNT", undefined],
    [
      durationReader(1000, hour),
      "1m30",
      "DURATION",
      "the units are ms, s, m, h, d, w and y, from large to small, without blanks",
    ],
    [durationReader(1000, hour), "2h", "RANGE", undefined],
  ] as const) {
    it(`${String(value)}: ${code}`, () => {
      const amount = read(value);
      expect(amount.ok ? undefined : [amount.failure.code, amount.failure.hint]).toEqual([code, hint]);
    });
  }
});

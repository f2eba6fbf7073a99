/**
 * Amounts as a fleet file writes them, read into whole numbers: millicores, bytes, bits per second, milliseconds.
 * Each reader takes whatever YAML gave, and says what it wanted where that is not it.
 */
import { fail, formatDuration, ok, parseDuration, type Result } from "@pleiad/model";
import type { Mismatch } from "./problems.ts";

export type QuantityReader = (value: unknown) => Result<number, Mismatch>;

const cpuExpected = "cores such as 4 or 0.5, or millicores such as 500m";
const cpuMillicoresMax = 10_000_000;

/** `4`, `0.5` or `500m` to millicores. */
export function readCpu(value: unknown): Result<number, Mismatch> {
  if (typeof value === "number") return cpuInBounds(value * 1000);
  if (typeof value !== "string") return fail({ code: "CPU", expected: cpuExpected });
  const millicores = /^(\d{1,12})m$/.exec(value);
  if (millicores !== null) return cpuInBounds(Number(millicores[1]));
  const cores = /^(\d+(?:\.\d+)?)(.*)$/.exec(value);
  const hint =
    cores === null ? undefined : cores[2] === "" ? "remove the quotes" : `write ${cores[1]} for ${cores[1]} cores`;
  return fail({ code: "CPU", expected: cpuExpected, hint });
}

function cpuInBounds(millicores: number): Result<number, Mismatch> {
  const whole = wholeNumber(millicores);
  if (whole !== undefined && whole >= 1 && whole <= cpuMillicoresMax) return ok(whole);
  return fail({ code: "RANGE", expected: "1m to 10000 cores, in whole millicores" });
}

/** 1.1 * 1e6 and its like are whole only up to the last bits of a double. */
function wholeNumber(product: number): number | undefined {
  const whole = Math.round(product);
  return Math.abs(product - whole) < 1e-6 ? whole : undefined;
}

const sizeExpected = "an amount such as 8Gi, in Ki, Mi, Gi, Ti or Pi";
const sizeUnits: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 };

/** `8Gi` to bytes. */
export function readSize(value: unknown): Result<number, Mismatch> {
  if (typeof value === "number") {
    return fail({ code: "SIZE", expected: sizeExpected, hint: `add the unit, such as ${value}Gi` });
  }
  if (typeof value !== "string") return fail({ code: "SIZE", expected: sizeExpected });
  const parts = /^(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)$/.exec(value);
  const [, amount = "", unit = ""] = parts ?? [];
  const scale = sizeUnits[unit];
  if (parts === null || scale === undefined || value !== `${amount}${unit}`) {
    const letter = /^[KMGTP]/i.exec(unit)?.[0].toUpperCase();
    return fail({
      code: "SIZE",
      expected: sizeExpected,
      hint: letter === undefined ? undefined : `write ${amount}${letter}i`,
    });
  }
  const bytes = Number(amount) * scale;
  if (Number.isSafeInteger(bytes) && bytes >= 1) return ok(bytes);
  return fail({ code: "RANGE", expected: "a whole number of bytes from 1 to 8Pi" });
}

const networkExpected = "a rate such as 10Gbit/s, in kbit/s, Mbit/s, Gbit/s or Tbit/s";
const networkUnits: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** `10Gbit/s` to bits per second. */
export function readNetworkRate(value: unknown): Result<number, Mismatch> {
  if (typeof value !== "string") return fail({ code: "NETWORK", expected: networkExpected });
  const parts = /^(\d{1,9})([kMGT])bit\/s$/.exec(value);
  const scale = networkUnits[parts?.[2] ?? ""];
  if (parts === null || scale === undefined) {
    const inBytes = /^\d+\s*[kMGT]i?B(?:\/s|ps)$/.test(value);
    return fail({
      code: "NETWORK",
      expected: networkExpected,
      hint: inBytes ? "bytes per second times 8 is bits per second" : undefined,
    });
  }
  const bitsPerSecond = Number(parts[1]) * scale;
  if (bitsPerSecond >= 1 && Number.isSafeInteger(bitsPerSecond)) return ok(bitsPerSecond);
  return fail({ code: "RANGE", expected: "1kbit/s to 9000Tbit/s" });
}

const microsMax = 1e15;

/** An amount of money such as 200 or 0.023, in millionths of the currency unit. */
export function readPrice(value: unknown): Result<number, Mismatch> {
  if (typeof value !== "number") {
    const hint = typeof value === "string" ? "write the bare number: the currency is prices.currency" : undefined;
    return fail({ code: "TYPE", expected: "a price such as 200 or 0.023", hint });
  }
  const micros = wholeNumber(value * 1e6);
  if (micros !== undefined && micros >= 0 && micros <= microsMax) return ok(micros);
  return fail({ code: "RANGE", expected: "a price from 0 to 1000000000, of at most 6 decimals" });
}

const countExpected = "a whole number such as 50000, 50k or 1M";
const countMax = 1_000_000_000;

/** `50000`, `50k` or `1.5M` to a count; zero is one. */
export function readCount(value: unknown): Result<number, Mismatch> {
  let count = value;
  if (typeof value === "string") {
    const parts = /^(\d{1,9}(?:\.\d{1,6})?)([kM])$/.exec(value);
    if (parts === null) {
      return fail({
        code: "COUNT",
        expected: countExpected,
        hint: /^\d+$/.test(value) ? "remove the quotes" : undefined,
      });
    }
    count = wholeNumber(Number(parts[1]) * (parts[2] === "k" ? 1e3 : 1e6));
  }
  if (typeof count !== "number" || !Number.isInteger(count)) return fail({ code: "COUNT", expected: countExpected });
  if (count < 0 || count > countMax) return fail({ code: "RANGE", expected: "0 to 1000M" });
  return ok(count);
}

/** A reader of Prometheus durations such as `1h30m`, to milliseconds, within bounds. */
export function durationReader(leastMs: number, mostMs: number): QuantityReader {
  const bounds = `a duration from ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`;
  return (value) => {
    if (typeof value === "number") {
      return fail({
        code: "DURATION",
        expected: bounds,
        hint: `add the unit, such as ${value}s, ${value}m or ${value}h`,
      });
    }
    if (typeof value !== "string") return fail({ code: "DURATION", expected: bounds });
    const duration = parseDuration(value);
    if (!duration.ok) {
      const hint = /^\d+M$/.test(value)
        ? "M is no unit: minutes are m, months are written in days"
        : "the units are ms, s, m, h, d, w and y, from large to small, without blanks";
      return fail({ code: "DURATION", expected: bounds, hint });
    }
    if (duration.value < leastMs || duration.value > mostMs) return fail({ code: "RANGE", expected: bounds });
    return ok(duration.value);
  };
}

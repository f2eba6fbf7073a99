/** The `grpc-timeout` header: up to eight digits and a unit. */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** The span as a header value, rounded up to what the header can say; undefined for a call without a deadline. */
export function formatGrpcTimeout(spanMs: number): string | undefined {
  if (spanMs === Infinity) return undefined;
  for (const unit of ["m", "S", "M"] as const) {
    const count = Math.ceil(spanMs / (unitMs[unit] ?? 1));
    if (count <= 99_999_999) return `${count}${unit}`;
  }
  return "99999999H";
}

/** The span in milliseconds; undefined if the value is malformed. */
export function parseGrpcTimeout(value: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Number(match[1]) * (unitMs[match[2] ?? ""] ?? Number.NaN);
}

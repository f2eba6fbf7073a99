/** What a duration comes to in one query. */
import { fail, ok, unreachable, type Result } from "@pleiad/model";
import type { DurationExpression } from "./ast.ts";

/** What `step()` and `range()` stand for; both are 0 in an instant query. */
export interface DurationContext {
  readonly stepMs: number;
  readonly queryRangeMs: number;
}

const secondsMax = 2 ** 63 / 1e9;

/**
 * The duration in whole milliseconds, cut off towards zero. The failure says why there is none: division by zero, or a
 * result that is no time. Whether it must be above zero is for the caller to say.
 */
export function resolveDurationMs(duration: DurationExpression, context: DurationContext): Result<number, string> {
  if (duration.kind === "constant") return ok(Math.trunc(duration.ms) + 0);
  const seconds = secondsOf(duration, context);
  if (!seconds.ok) return seconds;
  if (!Number.isFinite(seconds.value)) return fail("duration is NaN or infinite");
  if (Math.abs(seconds.value) > secondsMax) return fail("duration is out of range");
  return ok(Math.trunc(seconds.value * 1000) + 0);
}

/** Prometheus calculates in seconds: `5m * 2` is ten minutes. */
function secondsOf(duration: DurationExpression, context: DurationContext): Result<number, string> {
  switch (duration.kind) {
    case "constant":
      return ok(duration.ms / 1000);
    case "step":
      return ok(context.stepMs / 1000);
    case "query-range":
      return ok(context.queryRangeMs / 1000);
    case "identity":
      return secondsOf(duration.operand, context);
    case "negate": {
      const operand = secondsOf(duration.operand, context);
      return operand.ok ? ok(-operand.value) : operand;
    }
    case "binary": {
      const left = secondsOf(duration.left, context);
      if (!left.ok) return left;
      const right = secondsOf(duration.right, context);
      return right.ok ? calculate(duration.operator, left.value, right.value) : right;
    }
    default:
      return unreachable(duration);
  }
}

type DurationOperator = Extract<DurationExpression, { readonly kind: "binary" }>["operator"];

function calculate(operator: DurationOperator, left: number, right: number): Result<number, string> {
  switch (operator) {
    case "+":
      return ok(left + right);
    case "-":
      return ok(left - right);
    case "*":
      return ok(left * right);
    case "/":
      return right === 0 ? fail("division by zero") : ok(left / right);
    case "%":
      return right === 0 ? fail("modulo by zero") : ok(left % right);
    case "^":
      return ok(left ** right);
    case "min_of":
      return ok(Math.min(left, right));
    case "max_of":
      return ok(Math.max(left, right));
    default:
      return unreachable(operator);
  }
}

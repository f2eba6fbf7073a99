/** Amounts of money: whole millionths of a currency unit inside, cents on paper. */

const microsPerCent = 10_000;

/** To the cent, half a cent up: what a bill would say. */
export function roundToCent(micros: number): number {
  return Math.round(micros / microsPerCent) * microsPerCent;
}

/** `$16,780.00`, or `1,780.00 EUR` in a currency without a sign of its own. */
export function formatMoney(micros: number, currency: string): string {
  const cents = Math.round(Math.abs(micros) / microsPerCent);
  const whole = String(Math.floor(cents / 100)).replace(/\B(?=(?:\d{3})+$)/g, ",");
  const text = `${whole}.${String(cents % 100).padStart(2, "0")}`;
  const sign = micros < 0 && cents > 0 ? "−" : "";
  return currency === "USD" ? `${sign}$${text}` : `${sign}${text} ${currency}`;
}

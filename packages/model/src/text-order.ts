/**
 * The order of texts as Prometheus and Thanos have it: by UTF-8 bytes.
 *
 * JavaScript's `<` orders by UTF-16 unit, which puts U+10000 and above before U+E000..U+FFFF. A merge of sorted
 * streams from other implementations would then see series out of order.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? surrogatesLast(x) - surrogatesLast(y) : x - y;
  }
  return a.length - b.length;
}

function surrogatesLast(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

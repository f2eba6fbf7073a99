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

/** What is in any of the lists, each of which ascends and has a text once; so does the union, which may be one of them. */
export function uniteTexts(lists: readonly (readonly string[])[]): readonly string[] {
  const [only] = lists;
  if (only !== undefined && lists.length === 1) return only;
  let runs = joinRuns(lists);
  // In pairs: a text is compared as often as the number of runs can be halved.
  while (runs.length > 1) {
    const united: string[][] = [];
    for (let i = 0; i < runs.length; i += 2) united.push(uniteTwo(runs[i] ?? [], runs[i + 1] ?? []));
    runs = united;
  }
  return runs[0] ?? [];
}

/** Makes one of lists that go on one behind the other, as those of sources mostly do that share the work. */
function joinRuns(lists: readonly (readonly string[])[]): string[][] {
  const ordered = lists.filter((list) => list.length > 0).sort(byFirst);
  const runs: string[][] = [];
  let run: string[] = [];
  for (const list of ordered) {
    const last = run.at(-1);
    if (last === undefined || compareText(last, list[0] ?? "") >= 0) runs.push((run = []));
    for (const text of list) run.push(text);
  }
  return runs;
}

function byFirst([a = ""]: readonly string[], [b = ""]: readonly string[]): number {
  return compareText(a, b);
}

function uniteTwo(a: string[], b: string[]): string[] {
  if (b.length === 0) return a;
  const united: string[] = [];
  let i = 0;
  let j = 0;
  for (let x = a[i], y = b[j]; x !== undefined && y !== undefined; x = a[i], y = b[j]) {
    const order = compareText(x, y);
    united.push(order <= 0 ? x : y);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  while (i < a.length) united.push(a[i++] as string);
  while (j < b.length) united.push(b[j++] as string);
  return united;
}

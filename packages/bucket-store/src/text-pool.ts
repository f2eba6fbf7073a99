/** Equal texts as one: names and values of labels are in every block of a stream anew. */

/** About what a text costs in the pool beside its letters. */
const entryBytes = 64;

/** Gives for each text the first equal one that it was given. Above the bound it forgets all and begins again. */
export function createTextPool(bytesMax: number): (text: string) => string {
  const texts = new Map<string, string>();
  let heldBytes = 0;
  return (text) => {
    const known = texts.get(text);
    if (known !== undefined) return known;
    const bytes = text.length + entryBytes;
    if (heldBytes + bytes > bytesMax) {
      texts.clear();
      heldBytes = 0;
    }
    texts.set(text, text);
    heldBytes += bytes;
    return text;
  };
}

/** The Huffman code of HPACK: RFC 7541, appendix B. Only decoding: what is sent here is short, and goes as it is. */

/**
 * Code lengths of the bytes 0 to 255 in bits. Codes are canonical: those of one length follow each other in the order of
 * the bytes, and longer ones follow shorter ones.
 */
const lengths: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28],
  ...[28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15],
  ...[6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22],
  ...[20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23],
  ...[23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22],
  ...[22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26],
  ...[27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27],
  ...[26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
];

const lengthMax = 30;
const paddingBitsMax = 7;

/** By code length: the first code, and where its bytes begin in `bytesByCode`. */
const firstCodes = new Uint32Array(lengthMax + 1);
const firstPlaces = new Uint32Array(lengthMax + 2);
const bytesByCode = Uint8Array.from(
  Array.from(lengths, (_, byte) => byte).sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b),
);
for (let length = 1, code = 0, place = 0; length <= lengthMax; length++) {
  code *= 2;
  firstCodes[length] = code;
  firstPlaces[length] = place;
  const count = lengths.filter((one) => one === length).length;
  code += count;
  place += count;
  firstPlaces[length + 1] = place;
}

/** The text in Latin-1; undefined where the bytes are no such code. */
export function decodeHuffman(bytes: Uint8Array): string | undefined {
  let text = "";
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >>> bit) & 1);
      if (++length > lengthMax) return undefined;
      const place = (firstPlaces[length] ?? 0) + code - (firstCodes[length] ?? 0);
      if (place >= (firstPlaces[length + 1] ?? 0)) continue;
      text += String.fromCharCode(bytesByCode[place] ?? 0);
      code = 0;
      length = 0;
    }
  }
  // The rest is filled up with ones.
  return length <= paddingBitsMax && code === 2 ** length - 1 ? text : undefined;
}

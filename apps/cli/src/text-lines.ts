/** The words of a text in lines of at most `width` characters; a longer word has a line of its own. */
export function linesOf(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** The text with lines of at most `width` characters where words allow it; what goes on is indented below its line. */
export function foldLines(text: string, width: number): string {
  return text
    .split("\n")
    .flatMap((line) => {
      if (line.length <= width) return [line];
      const indent = /^ */.exec(line)?.[0] ?? "";
      const parts = linesOf(line.slice(indent.length), Math.max(20, width - indent.length - 4));
      return parts.map((part, i) => `${indent}${i === 0 ? "" : "    "}${part}`);
    })
    .join("\n");
}

/** Parts of SVG drawings: elements as text, numbers short and always the same. */

/** An element with its attributes in the order given. `content` is markup already. */
export function element(name: string, attributes: Readonly<Record<string, string | number>>, content = ""): string {
  const list = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === "number" ? shortNumber(value) : escapeText(value)}"`,
  );
  return content === "" ? `<${name}${list.join("")}/>` : `<${name}${list.join("")}>${content}</${name}>`;
}

export function textElement(
  x: number,
  y: number,
  text: string,
  attributes: Readonly<Record<string, string | number>> = {},
): string {
  return element("text", { x, y, ...attributes }, escapeText(text));
}

/** A whole drawing on a white ground, readable without anything around it. */
export function drawing(width: number, height: number, title: string, parts: readonly string[]): string {
  const body = [`<title>${escapeText(title)}</title>`, element("rect", { width, height, fill: "#ffffff" }), ...parts];
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12" fill="#1f2937">`;
  return `${open}\n${body.map((part) => `  ${part}\n`).join("")}</svg>\n`;
}

/** Two decimals are a hundredth of a pixel. */
export function shortNumber(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Colours that are told apart by people who see fewer of them (Okabe and Ito). */
export const colours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"] as const;

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Remarks that travel beside an answer. Texts are whole sentences as the API prints them, each kept once. */
export class Annotations {
  readonly #warnings = new Set<string>();
  readonly #infos = new Set<string>();

  warn(text: string): void {
    this.#warnings.add(text);
  }

  inform(text: string): void {
    this.#infos.add(text);
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  get infos(): readonly string[] {
    return [...this.#infos];
  }
}

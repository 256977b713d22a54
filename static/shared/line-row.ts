/** One line as it is shown: its time, a word before it, its text. A row is used again and again. */
import { timeOfDay } from "./time-format.ts";

export interface Line {
  readonly text: string;
  /** In milliseconds since the Unix epoch; undefined when nobody knows. */
  readonly time?: number | undefined;
  /** A word before it. */
  readonly badge?: string | undefined;
  /** `note`: about the lines, none of them. `lost`: some are missing. `input`: the reader's own. */
  readonly kind?: "note" | "lost" | "input" | undefined;
}

export class LineRow {
  readonly element = document.createElement("li");
  readonly #time = this.element.appendChild(document.createElement("time"));
  readonly #line = this.element.appendChild(document.createElement("p"));
  readonly #badge = this.#line.appendChild(document.createElement("b"));
  readonly #text = this.#line.appendChild(document.createElement("span"));

  show({ text, time, badge = "", kind }: Line): void {
    this.element.className = kind ?? "";
    this.#time.textContent = time === undefined ? "" : timeOfDay(time);
    this.#time.dateTime = time === undefined ? "" : new Date(time).toISOString();
    this.#time.title = this.#time.dateTime;
    this.#badge.textContent = badge;
    this.#badge.hidden = badge === "";
    this.#text.textContent = text;
  }
}

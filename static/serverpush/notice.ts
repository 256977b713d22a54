/** The quiet line for what is not as it should be: updates missed, or a server that refuses. */
import { WINDOW_MS } from "./sample-window.ts";

export class Notice {
  readonly #element: HTMLElement;
  #missed = 0;
  #uncounted = false;
  #missedAt = 0;
  #trouble: string | undefined;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  /** `missed`: just now; null when nobody can know. Told until the break has left the chart. */
  showMissed(missed: number | null, timeMs: number): void {
    if (timeMs - this.#missedAt > WINDOW_MS) {
      this.#missed = 0;
      this.#uncounted = false;
    }
    if (missed !== 0) this.#missedAt = timeMs;
    if (missed === null) this.#uncounted = true;
    else this.#missed += missed;
    this.#show();
  }

  /** Undefined when all is well again. */
  showTrouble(message: string | undefined): void {
    this.#trouble = message;
    this.#show();
  }

  #show(): void {
    const text = [this.#missedText(), this.#trouble].filter(Boolean).join(". ");
    if (this.#element.textContent !== text) this.#element.textContent = text;
  }

  #missedText(): string {
    if (this.#uncounted) return "Some updates missed";
    if (this.#missed === 0) return "";
    return this.#missed === 1 ? "1 update missed" : `${this.#missed} updates missed`;
  }
}

/**
 * Reads lines to those who cannot see them, when they ask for it: the latest, and every few seconds
 * at most. A live region around the lines themselves would say each of a thousand a second, for hours.
 */
import { setText } from "./element.ts";

const SOON_MS = 300; // what comes together is told together
const EVERY_MS = 3_000; // about as long as it takes to say one
const SAID = 300; // characters

export class Announcer {
  readonly #toggle: HTMLButtonElement;
  readonly #region: HTMLElement;
  #latest = "";
  #count = 0;
  #lastAt = -EVERY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `region`: a live one (`role="status"`) that is not to be seen. */
  constructor(toggle: HTMLButtonElement, region: HTMLElement) {
    this.#toggle = toggle;
    this.#region = region;
    toggle.addEventListener("click", () => {
      toggle.ariaPressed = String(!this.#isOn);
      if (!this.#isOn) this.clear();
    });
  }

  say(text: string): void {
    if (!this.#isOn) return;
    this.#latest = text;
    this.#count += 1;
    const delayMs = Math.max(SOON_MS, this.#lastAt + EVERY_MS - performance.now());
    this.#timer ??= setTimeout(() => this.#tell(), delayMs);
  }

  /** What waits is not said any more. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count = 0;
    setText(this.#region, "");
  }

  get #isOn(): boolean {
    return this.#toggle.ariaPressed === "true";
  }

  #tell(): void {
    const [count, latest] = [this.#count, this.#latest.slice(0, SAID)];
    setText(this.#region, count === 1 ? latest : `${count} lines, the last: ${latest}`);
    this.#timer = undefined;
    this.#count = 0;
    this.#lastAt = performance.now();
  }
}

/**
 * Lines as they come, the newest at the end: so many and no more, as text and never as markup, drawn
 * once per frame. It follows the end until its reader scrolls up. From then on nothing moves under
 * their eyes, and what comes waits.
 */
import { Announcer } from "./announcer.ts";
import { elementIn, setText } from "./element.ts";
import { type Line, LineRow } from "./line-row.ts";
import { plainText } from "./plain-text.ts";

export const MAX_ROWS = 1_000;
const NEAR_END_PX = 24; // about a line
const FLOOD = 200; // lines in a frame, which nobody can read
const FLOOD_MS = 200; // between two frames then, so that the page has time for its reader

export class LineLog {
  readonly #list: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #newest: HTMLButtonElement;
  readonly #announcer: Announcer;
  /** A ring: the oldest row is taken out and comes back as the newest. */
  #rows: LineRow[] = [];
  #next = 0;
  /** Not drawn yet. When some had to be dropped it holds at least as many as there are rows. */
  #waiting: Line[] = [];
  #unseen = 0;
  #follows = true;
  #drawing = false;
  #isFlood = false;

  constructor(section: HTMLElement) {
    this.#list = elementIn(section, "ol", HTMLElement);
    this.#scroller = elementIn(section, "[role=log]", HTMLElement);
    this.#newest = elementIn(section, ".newest", HTMLButtonElement);
    this.#announcer = new Announcer(
      elementIn(section, ".announce", HTMLButtonElement),
      elementIn(section, "[role=status]", HTMLElement),
    );
    this.#scroller.addEventListener("scroll", () => this.#scrolled());
    new ResizeObserver(() => this.#stayAtEnd()).observe(this.#scroller);
    this.#newest.addEventListener("click", () => {
      this.#scroller.focus(); // the button is about to go
      this.#follow(true);
    });
  }

  add(line: Line): void {
    const text = plainText(line.text);
    this.#waiting.push({ ...line, text });
    this.#unseen += 1;
    if (this.#waiting.length >= 2 * MAX_ROWS) this.#waiting.splice(0, MAX_ROWS);
    this.#announcer.say(text);
    this.#drawSoon();
  }

  /** Another text for the line that was added last, which was not finished then. */
  replaceLast(line: Line): void {
    const shown = { ...line, text: plainText(line.text) };
    if (this.#waiting.length > 0) this.#waiting[this.#waiting.length - 1] = shown;
    else this.#rows.at(this.#next - 1)?.show(shown); // index -1 is the last of a full ring
    this.#drawSoon();
  }

  clear(): void {
    this.#list.replaceChildren();
    this.#rows = [];
    this.#next = 0;
    this.#waiting = [];
    this.#unseen = 0;
    this.#announcer.clear();
    this.#follow(true);
  }

  #drawSoon(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    const draw = () => requestAnimationFrame(() => this.#draw());
    if (this.#isFlood) setTimeout(draw, FLOOD_MS);
    else draw();
  }

  #draw(): void {
    this.#drawing = false;
    this.#isFlood = this.#waiting.length > FLOOD;
    if (!this.#follows) return this.#showUnseen();
    for (const line of this.#waiting.slice(-MAX_ROWS)) {
      const row = (this.#rows[this.#next] ??= new LineRow());
      row.show(line);
      this.#list.append(row.element);
      this.#next = (this.#next + 1) % MAX_ROWS;
    }
    this.#waiting = [];
    this.#unseen = 0;
    this.#stayAtEnd();
  }

  #scrolled(): void {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    const isAtEnd = scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
    if (isAtEnd !== this.#follows) this.#follow(isAtEnd);
  }

  #follow(follows: boolean): void {
    this.#follows = follows;
    this.#newest.hidden = follows;
    this.#drawSoon();
  }

  #showUnseen(): void {
    const more = this.#unseen === 0 ? "" : ` (${this.#unseen.toLocaleString("en")} more)`;
    setText(this.#newest, `Newest${more}`);
  }

  #stayAtEnd(): void {
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}

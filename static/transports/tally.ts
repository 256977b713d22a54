/** What a transport has brought, counted by itself: it takes nobody's word for the order. */
import { Order } from "../../client/order.ts";

interface Cut {
  /** The offset it stood at. */
  readonly after: number;
  /** What had been counted by then. */
  readonly late: number;
  readonly lost: number;
  readonly repeated: number;
  readonly gone: number;
}

export class Tally {
  events = 0;
  /** Told as gaps. */
  #gone = 0;
  #goneUncounted = false;
  /** Not told at all, which must never be. */
  #lost = 0;
  #repeated = 0;
  #cut: Cut | undefined;
  readonly #order = new Order();

  /** How many events the server says are gone for this reader; null when nobody can know. */
  get missed(): number | null {
    return this.#goneUncounted ? null : this.#gone;
  }

  /** Where reading begins. */
  begin(epoch: string, offset: number): void {
    this.#order.place(epoch, offset);
  }

  gap(epoch: string, offset: number, missed: number | null): void {
    if (missed === null) this.#goneUncounted = true;
    else this.#gone += missed;
    this.#order.gap(epoch, offset, missed);
  }

  event(epoch: string, offset: number): void {
    const expected = this.#order.offset + 1;
    const verdict = this.#order.event(epoch, offset);
    if (verdict === "repeat") this.#repeated += 1;
    else this.events += 1;
    if (verdict === "skip") this.#lost += offset - expected;
    if (verdict === "other-epoch") this.#lost += 1; // at least
  }

  /** `late`: how many have come late so far. */
  cut(late: number): void {
    const after = this.#order.offset;
    this.#cut = { after, late, lost: this.#lost, repeated: this.#repeated, gone: this.#gone };
  }

  /** What has become of the last cut, `late` having come late by now. Nothing before the first. */
  story(late: number): string {
    if (!this.#cut) return "";
    const came = late - this.#cut.late;
    const lost = this.#lost - this.#cut.lost;
    const repeated = this.#repeated - this.#cut.repeated;
    const gone = this.#gone - this.#cut.gone;
    const log = gone > 0 ? ` ${gone} had left the topic’s log.` : "";
    return `Resumed after event ${this.#cut.after}: ${came} came late, ${lost} lost, ${repeated} repeated.${log}`;
  }
}

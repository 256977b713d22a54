/** One subscriber's order of events, by offset; what is wrong with it goes into the tally. */
import { Order, type Verdict } from "../../../client/order.ts";
import type { Tally } from "./tally.ts";

export class Ledger {
  readonly #order = new Order();
  readonly #tally: Tally;
  readonly #client: number;
  /** Offsets that were skipped and may still come, too late. Nearly always there are none. */
  #missing: Set<number> | undefined;

  constructor(client: number, tally: Tally) {
    this.#client = client;
    this.#tally = tally;
  }

  /** Where to go on; undefined as long as nothing has come. */
  get cursor(): string | undefined {
    const { epoch, offset } = this.#order;
    return epoch === undefined ? undefined : `${epoch}.${offset}`;
  }

  get epoch(): string | undefined {
    return this.#order.epoch;
  }

  get offset(): number {
    return this.#order.offset;
  }

  event(epoch: string, offset: number): void {
    const before = this.#order.offset;
    const verdict = this.#order.event(epoch, offset);
    if (verdict !== "next") this.#wrong(verdict, { epoch, offset, before });
  }

  gap(epoch: string, offset: number, missed: number | null): void {
    this.#tally.gaps += 1;
    this.#tally.missed += missed ?? 0;
    this.#fits(this.#order.gap(epoch, offset, missed), `the gap before ${epoch}.${offset + 1}`);
  }

  place(epoch: string, offset: number): void {
    this.#fits(this.#order.place(epoch, offset), `the cursor ${epoch}.${offset}`);
  }

  /** Where a batch ends has to be its last event, or where the reader was. */
  end(epoch: string, offset: number, lastOffset: number | undefined): void {
    if (lastOffset === undefined) this.place(epoch, offset);
    else if (lastOffset !== offset) this.#fits("skip", `the cursor ${epoch}.${offset}`);
  }

  /** An id → the event that it is, without making anything when the epoch is known. */
  eventById(id: string): boolean {
    const { epoch } = this.#order;
    if (epoch !== undefined && id.startsWith(epoch) && id.charCodeAt(epoch.length) === DOT) {
      const offset = digits(id, epoch.length + 1);
      if (offset !== undefined) this.event(epoch, offset);
      return offset !== undefined;
    }
    const parts = cursorParts(id);
    if (parts) this.event(parts.epoch, parts.offset);
    return parts !== undefined;
  }

  #wrong(
    verdict: Exclude<Verdict, "next">,
    { epoch, offset, before }: { epoch: string; offset: number; before: number },
  ): void {
    const tally = this.#tally;
    tally.violated(`client ${this.#client}: ${epoch}.${offset} came after ${before} (${verdict})`);
    if (verdict === "other-epoch") {
      tally.misplaced += 1;
    } else if (verdict === "skip") {
      tally.lost += offset - before - 1;
      this.#missing ??= new Set();
      for (let one = before + 1; one < offset && this.#missing.size < MAX_MISSING; one += 1) {
        this.#missing.add(one);
      }
    } else if (this.#missing?.delete(offset)) {
      tally.outOfOrder += 1;
      tally.lost -= 1;
    } else {
      tally.duplicates += 1;
    }
  }

  #fits(verdict: Verdict, what: string): void {
    if (verdict === "next") return;
    this.#tally.misplaced += 1;
    this.#tally.violated(`client ${this.#client}: ${what} does not fit (${verdict})`);
  }
}

/** Undefined for an id that is no cursor, as other servers have them. */
export function cursorParts(id: string): { epoch: string; offset: number } | undefined {
  const [, epoch, offset] = /^([^.]+)\.(\d{1,15})$/.exec(id) ?? [];
  return epoch === undefined ? undefined : { epoch, offset: Number(offset) };
}

const MAX_MISSING = 10_000; // of each subscriber; what is skipped beyond that and comes late is a duplicate
const DOT = 0x2e;

/** The number that the rest of the text is, read without making a text of it. */
function digits(text: string, start: number): number | undefined {
  let value = 0;
  for (let index = start; index < text.length; index += 1) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return start < text.length ? value : undefined;
}

/**
 * When each event of a topic was published, for streams that do not say so: one more reader, over
 * NDJSON, that does. Arrivals whose time is not known yet wait, up to a bound.
 */
import { epochOf } from "../../../client/cursor.ts";
import { resume } from "../../../client/resume.ts";
import { TransportError } from "../../../client/transport.ts";
import { ndjson } from "../../../client/transports/ndjson.ts";
import type { Histogram } from "./histogram.ts";

export class EventTimes {
  readonly #url: URL;
  readonly #delays: Histogram;
  readonly #stop = new AbortController();
  #started = false;
  #epoch: string | undefined;
  /** By offset, the newest. */
  readonly #times = new Map<number, number>();
  /** By offset: when it arrived, and since when that subscriber was connected, in turns. */
  readonly #waiting = new Map<number, number[]>();
  #waitingCount = 0;
  /** Arrivals that could not be measured. */
  untimed = 0;
  /** Why none can be measured; undefined as long as they can. */
  failure: string | undefined;

  constructor(url: URL, delays: Histogram) {
    this.#url = url;
    this.#delays = delays;
  }

  get started(): boolean {
    return this.#started;
  }

  /** Begins with the first cursor that anybody got, so that nobody's event is before it. */
  start(cursor: string): void {
    if (this.#started) return;
    this.#started = true;
    this.#read(cursor).catch((error: unknown) => {
      const kind = error instanceof TransportError ? error.message : String(error);
      this.failure = `the server does not tell when events were published: ${kind}`;
      this.#waiting.clear();
    });
  }

  /** @param since when the subscriber was connected: what is older is history, and has no delay */
  arrived(epoch: string, offset: number, { at, since }: { at: number; since: number }): void {
    if (this.failure !== undefined) return;
    this.#enter(epoch);
    const time = this.#times.get(offset);
    if (time !== undefined) return this.#measure(time, at, since);
    if (this.#waitingCount >= MAX_WAITING) {
      this.untimed += 1;
      return;
    }
    this.#waitingCount += 1;
    const waiting = this.#waiting.get(offset);
    if (waiting) waiting.push(at, since);
    else this.#waiting.set(offset, [at, since]);
  }

  close(): void {
    this.#stop.abort(new Error("closed"));
  }

  async #read(cursor: string): Promise<void> {
    const { signal } = this.#stop;
    for await (const batch of resume(ndjson({ url: this.#url }), { after: cursor }, { signal })) {
      const epoch = epochOf(batch.cursor);
      for (const { offset, time } of batch.events) {
        if (time !== undefined) this.#published(epoch, offset, time);
      }
    }
  }

  #published(epoch: string, offset: number, time: number): void {
    this.#enter(epoch);
    this.#times.set(offset, time);
    if (this.#times.size > MAX_TIMES) this.#times.delete(this.#times.keys().next().value!);
    const waiting = this.#waiting.get(offset);
    if (!waiting) return;
    this.#waiting.delete(offset);
    this.#waitingCount -= waiting.length / 2;
    for (let index = 0; index < waiting.length; index += 2) {
      this.#measure(time, waiting[index]!, waiting[index + 1]!);
    }
  }

  #measure(time: number, at: number, since: number): void {
    if (time >= since) this.#delays.record(at - time);
  }

  /** Offsets begin anew with an epoch. */
  #enter(epoch: string): void {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    this.#times.clear();
    this.#waiting.clear();
    this.untimed += this.#waitingCount;
    this.#waitingCount = 0;
  }
}

const MAX_WAITING = 1_000_000; // arrivals, two numbers each
const MAX_TIMES = 10_000; // the newest events; the slowest subscriber is not that far behind

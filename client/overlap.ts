/**
 * Reads on over whatever connection is best while others come and go: a replacement is opened beside
 * the one that is read, and takes over with its first batch, not before. What both give is given once.
 *
 *      one      ── 1 2 3 ── 4 5 ─ ✂
 *      another        ╰─ open ── [4 5] 6 7 ──
 */
import type { Choice } from "./choice.ts";
import type { Clock } from "./clock.ts";
import { epochOf } from "./cursor.ts";
import { Reading, type ReadingOptions } from "./reading.ts";
import { MIN_DELAY_MS, wakeDelay } from "./retry.ts";
import { trim } from "./trim.ts";
import type { Place, TopicBatch, Transport } from "./transport.ts";

export interface OverlapOptions extends ReadingOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface Given {
  readonly batch: TopicBatch;
  readonly transport: Transport;
}

/** Throws what ended the last of its connections, or the signal's reason. */
export async function* overlap(
  choice: Choice,
  from: Place,
  { clock, signal, ...options }: OverlapOptions,
): AsyncGenerator<Given, never> {
  const inbox = new Inbox();
  let openedAt = clock.now();
  let current = new Reading(choice.current, from, options);
  /** What ended the one before, where `current` has taken its place and given nothing yet. */
  let failure: unknown;
  /** Opened beside it. After a wake-up `current` may be dead: if that shows life first, it stays. */
  let other: { readonly reading: Reading; readonly because: Nudge } | undefined;
  let after: string | undefined;
  /** Where `current` has got to by itself, while it gives again what the one before has given. */
  let behindAt: string | undefined;
  let cancelBetter = () => {};
  const lookForBetter = () => {
    cancelBetter();
    const ms = choice.betterInMs;
    cancelBetter = ms === undefined ? () => {} : clock.setTimer(() => inbox.nudge("better"), ms);
  };
  let cancelWake: (() => void) | undefined;
  const stopWaking = clock.onWake(() => {
    // One look is enough, however often the page is shown and hidden.
    cancelWake ??= clock.setTimer(
      () => {
        cancelWake = undefined;
        inbox.nudge("wake");
      },
      wakeDelay(clock, openedAt + MIN_DELAY_MS),
    );
  });
  const stopLooking = () => {
    stopWaking();
    cancelBetter();
    cancelWake?.();
  };
  // Who has left between two batches for good never comes to `finally`.
  const abort = () => {
    stopLooking();
    current.end(signal.reason);
    other?.reading.end(signal.reason);
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    inbox.readFrom(current);
    for (;;) {
      const news = await inbox.next();
      signal.throwIfAborted();
      if (typeof news === "string") {
        if (other || after === undefined) continue;
        const transport = news === "wake" ? current.transport : choice.better();
        if (!transport) continue;
        openedAt = clock.now();
        other = { reading: new Reading(transport, { after }, options), because: news };
        inbox.readFrom(other.reading);
        continue;
      }
      const { reading } = news;
      if (reading !== current && reading !== other?.reading) continue; // it was given up before
      if ("error" in news) {
        reading.end();
        if (!other) throw current.transport === choice.current ? news.error : failure;
        if (reading === current) {
          current = other.reading; // all there is now
          behindAt = current.place.after;
          failure = news.error;
        }
        other = undefined;
        lookForBetter();
        continue;
      }
      if (reading !== current && isFromBefore(news.batch, reading.place, after)) {
        reading.end();
        other = undefined;
        lookForBetter();
        continue;
      }
      if (reading !== current) {
        current.end();
        current = reading;
        behindAt = reading.place.after;
        other = undefined;
        lookForBetter();
      } else if (other?.because === "wake") {
        other.reading.end();
        other = undefined;
        lookForBetter(); // its time may have come and gone meanwhile
      }
      let { batch } = news;
      if (behindAt !== undefined && after !== undefined) {
        batch = trim(batch, after, behindAt);
        behindAt = batch.cursor === news.batch.cursor ? undefined : news.batch.cursor;
      }
      if (choice.works(current.transport) || after === undefined) lookForBetter();
      after = batch.cursor;
      yield { batch, transport: current.transport };
      inbox.readFrom(current);
    }
  } finally {
    signal.removeEventListener("abort", abort);
    stopLooking();
    current.end();
    other?.reading.end();
  }
}

/** Of an epoch that has ended, while `after` tells that another has begun: it was on its way. */
function isFromBefore(batch: TopicBatch, opened: Place, after: string | undefined): boolean {
  if (after === undefined || !opened.after) return false;
  const epoch = epochOf(after);
  return epochOf(opened.after) !== epoch && epochOf(batch.cursor) !== epoch;
}

/** What makes a replacement worth a try. */
type Nudge = "wake" | "better";

type News =
  | Nudge
  | { readonly reading: Reading; readonly batch: TopicBatch }
  | { readonly reading: Reading; readonly error: unknown };

/** What has happened, in its order: at most one batch of each connection, and one nudge of a kind. */
class Inbox {
  readonly #news: News[] = [];
  #wake = () => {};

  nudge(nudge: Nudge): void {
    if (!this.#news.includes(nudge)) this.#add(nudge);
  }

  /** Its next batch comes here, or its failure. */
  readFrom(reading: Reading): void {
    reading.next().then(
      (batch) => this.#add({ reading, batch }),
      (error: unknown) => this.#add({ reading, error }),
    );
  }

  async next(): Promise<News> {
    for (;;) {
      const news = this.#news.shift();
      if (news !== undefined) return news;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #add(news: News): void {
    this.#news.push(news);
    this.#wake();
  }
}

/**
 * The calls that bring one `listen` or `tail` its batches, from the write to the release. One answer
 * stands for all calls before it, and it is put off for a while, as TCP does with its acknowledgments
 * (RFC 1122 §4.2.3.2): to read one costs as much as to write a batch. So does a frame that is this
 * client's alone, so what is answered for is released when the next answer is asked for.
 *
 *      call 1   call 2   call 3   …   release 1, release 2, pull 3 → the answer   call 4   …
 */
import { followedBy, type Frames, releaseText, shortFrames } from "./lane-frames.ts";
import type { Call, Lane, Lanes } from "./lanes.ts";

export interface WindowOptions {
  /** What may be on its way, or wait at the client. */
  windowBytes: number;
  /** How long an answer may be put off, in milliseconds. */
  answerMs: number;
}

export class CallWindow {
  /** So many calls may be without an answer. When half of them are, one is asked for. */
  calls: number;
  readonly #lanes: Lanes;
  readonly #lane: Lane;
  readonly #options: WindowOptions;
  /** The call whose answer is to come, for all before it. */
  #asked: Call | undefined;
  #askedAt = 0;
  /** The other calls that the client holds, the newest last. */
  #held: number[] = [];
  // Without an answer; and those of them that were written after the one that is asked for.
  #unanswered = 0;
  #unansweredBytes = 0;
  #unasked = 0;
  #unaskedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** There was something to deliver while it was full. */
  #full = false;

  constructor(lanes: Lanes, lane: Lane, { calls, ...options }: WindowOptions & { calls: number }) {
    this.calls = calls;
    this.#lanes = lanes;
    this.#lane = lane;
    this.#options = options;
  }

  /** Whether a call may be written. If not, the lane is woken when it may. */
  hasRoom(): boolean {
    if (this.#unanswered < this.calls && this.#unansweredBytes < this.#options.windowBytes) {
      return this.#lanes.hasRoom(this.#lane);
    }
    this.#full = true;
    return false;
  }

  /** The newest call, unless it is known to have returned. */
  get running(): number | undefined {
    return this.#unanswered === 0 ? undefined : (this.#held.at(-1) ?? this.#asked?.id);
  }

  /** For how long the answer that is to come has been waited for, in milliseconds. */
  get waitedMs(): number {
    return performance.now() - this.#askedAt;
  }

  /** @param frames of a call, which takes the next id */
  write(frames: Frames, bytes: number): void {
    this.#held.push(this.#lanes.take());
    this.#unanswered += 1;
    this.#unansweredBytes += bytes;
    this.#unasked += 1;
    this.#unaskedBytes += bytes;
    if (this.#isDue) this.#lanes.write(followedBy(frames, shortFrames(this.#ask())));
    else this.#lanes.write(frames);
  }

  /** The call that was asked for has returned, and with it all before it. */
  onReturn(call: Call): void {
    this.#answered(call);
    this.#askIfDue();
    if (!this.#full) return;
    this.#full = false;
    this.#lane.wake();
  }

  /** The call that was asked for has failed. Nothing is written any more. */
  onFailure(call: Call): void {
    this.#answered(call);
  }

  /** Nothing was asked for so long: what was written meanwhile is, or else the next call. */
  answerIsDue(): void {
    this.#timer = undefined;
    this.#askIfDue();
  }

  /** Releases what the client holds. */
  stop(): void {
    clearTimeout(this.#timer);
    if (this.#asked) {
      this.#lanes.forget(this.#asked);
      this.#held.push(this.#asked.id);
    }
    if (this.#held.length > 0) this.#lanes.writeShort(this.#held.map(releaseText));
    this.#held = [];
  }

  #answered(call: Call): void {
    this.#asked = undefined;
    this.#held.unshift(call.id);
    this.#unanswered = this.#unasked;
    this.#unansweredBytes = this.#unaskedBytes;
  }

  /** One answer at a time; and well before it is full, so that a fast reader never waits. */
  get #isDue(): boolean {
    if (this.#asked || this.#unasked === 0) return false;
    const { windowBytes } = this.#options;
    return !this.#timer || 2 * this.#unasked >= this.calls || 4 * this.#unaskedBytes >= windowBytes;
  }

  #askIfDue(): void {
    if (this.#isDue) this.#lanes.writeShort(this.#ask());
  }

  /** @returns what asks for the newest call's answer */
  #ask(): string[] {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(answerIsDue, this.#options.answerMs, this).unref();
    const newest = this.#held.pop()!;
    this.#asked = this.#lanes.expect(this.#lane, newest);
    this.#askedAt = performance.now();
    const texts = [...this.#held.map(releaseText), `["pull",${newest}]`];
    this.#held = [];
    this.#unasked = 0;
    this.#unaskedBytes = 0;
    return texts;
  }
}

function answerIsDue(window: CallWindow): void {
  window.answerIsDue();
}

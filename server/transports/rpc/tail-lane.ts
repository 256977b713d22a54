/**
 * One `tail`: a pipe at the client, and a call of its `write` for each batch. The client answers a
 * call when its reader has room for more, so it is the reader that sets the pace. One answer stands
 * for all calls before it, and it is put off for a while, as TCP does with its acknowledgments
 * (RFC 1122 §4.2.3.2): to read one costs as much as to write a batch.
 *
 *      write 1   write 2, release 1   write 3, release 2   …   pull 3 → the answer   write 4, release 3
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { BatchLane, type LaneOptions } from "./batch-lane.ts";
import {
  batchFrame,
  callFrame,
  followedBy,
  pipePlace,
  type Place,
  releaseText,
  shortFrames,
} from "./lane-frames.ts";
import type { Call, Lanes } from "./lanes.ts";

export interface TailOptions extends LaneOptions {
  /** What may be on its way, or wait for the reader. */
  windowBytes: number;
  /** How long an answer may be put off. */
  answerMs: number;
}

export class TailLane extends BatchLane {
  readonly #windowBytes: number;
  readonly #answerMs: number;
  /** The client's id of the pipe. */
  #pipe = 0;
  #place: Place = "";
  /** Bytes that were written and not answered; those of them that no answer was asked for. */
  #unanswered = 0;
  #unasked = 0;
  /** The newest call, until it is asked for. */
  #newest: Call | undefined;
  /** The call whose answer is to come, for all before it. */
  #asked: Call | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Of the last call that was answered, released with the next batch in the same write. */
  #returned = 0;
  /** There was something to deliver while the window was full. */
  #full = false;
  /** The call that ends the pipe. */
  #last: Call | undefined;

  constructor(lanes: Lanes, subscription: Subscription, options: TailOptions) {
    super(lanes, subscription, options);
    this.#windowBytes = options.windowBytes;
    this.#answerMs = options.answerMs;
  }

  /** @param pipe what the client calls it */
  open(pipe: number): void {
    this.#pipe = pipe;
    this.#place = pipePlace("push", pipe, "write");
    this.start();
  }

  hasRoom(): boolean {
    if (this.#unanswered < this.#windowBytes) return this.lanes.hasRoom(this);
    this.#full = true;
    return false;
  }

  write(batch: Batch): void {
    const frame = batchFrame(this.#place, batch);
    const short = this.#releases();
    this.#newest = this.lanes.call(this, frame.length);
    this.#unanswered += frame.length;
    this.#unasked += frame.length;
    if (this.#isAskDue()) short.push(this.#ask());
    this.lanes.write(...followedBy(frame, shortFrames(...short)));
    this.#askLater();
  }

  end(reason: PushError): void {
    if (this.stopped) return;
    this.stop();
    if (this.#pipe === 0) return;
    this.#last = this.lanes.call(this, 0);
    this.lanes.write(callFrame(pipePlace("stream", this.#pipe, "abort"), reason));
  }

  onReturn(call: Call): void {
    if (call === this.#last) this.#releasePipe();
    if (call !== this.#asked) return;
    this.#asked = undefined;
    this.#returned = call.id;
    this.#unanswered = this.#unasked;
    if (this.#isAskDue()) this.#askNow();
    else this.#askLater();
    if (!this.#full) return;
    this.#full = false;
    this.wake();
  }

  /** The reader has cancelled. */
  onFailure(call: Call): void {
    if (call !== this.#last && this.stopped) return;
    this.stop();
    this.#releasePipe();
  }

  override stop(): void {
    if (this.stopped) return;
    super.stop();
    clearTimeout(this.#timer);
    const releases = this.#releases();
    if (this.#asked) {
      this.lanes.forget(this.#asked);
      releases.push(releaseText(this.#asked.id));
    }
    this.#writeShort(...releases);
  }

  /** Of the calls that are done with: those that were answered, and of those that never will be. */
  #releases(): string[] {
    const releases = this.#releaseReturned();
    if (this.#newest) {
      this.lanes.forget(this.#newest);
      releases.push(releaseText(this.#newest.id));
      this.#newest = undefined;
    }
    return releases;
  }

  #releaseReturned(): string[] {
    const releases = this.#returned === 0 ? [] : [releaseText(this.#returned)];
    this.#returned = 0;
    return releases;
  }

  #isAskDue(): boolean {
    // Well before the window is full, so that a reader that is fast never waits.
    return !this.#asked && this.#unasked >= this.#windowBytes / 4;
  }

  #ask(): string {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#asked = this.#newest;
    this.#newest = undefined;
    this.#unasked = 0;
    return `["pull",${this.#asked!.id}]`;
  }

  #askNow(): void {
    this.#writeShort(...this.#releaseReturned(), this.#ask());
  }

  #askLater(): void {
    if (this.#asked || this.#timer || !this.#newest) return;
    this.#timer = setTimeout(() => this.#askNow(), this.#answerMs).unref();
  }

  #releasePipe(): void {
    this.#writeShort(releaseText(this.#pipe));
  }

  #writeShort(...texts: readonly string[]): void {
    if (texts.length > 0) this.lanes.write(Buffer.from(shortFrames(...texts), "latin1"));
  }
}

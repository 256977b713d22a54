/**
 * One `tail`: a pipe at the client, and a call of its `write` for each batch. The client answers a
 * call when its reader has room for more, so it is the reader that sets the pace. One answer stands
 * for all calls before it, and it is put off for a while, as TCP does with its acknowledgments
 * (RFC 1122 §4.2.3.2): to read one costs as much as to write a batch. So does a frame that is this
 * client's alone, so what is answered for is released when the next answer is asked for.
 *
 *      write 1   write 2   write 3   …   release 1, release 2, pull 3 → the answer   write 4   …
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { BatchLane, type LaneOptions } from "./batch-lane.ts";
import {
  batchFrame,
  callFrame,
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
  /** Calls that the client still holds; the newest is asked for, the others are released. */
  #held: number[] = [];
  /** The call whose answer is to come, for all before it. */
  #asked: Call | undefined;
  #timer: NodeJS.Timeout | undefined;
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
    this.#held.push(this.lanes.take());
    this.#unanswered += frame.length;
    this.#unasked += frame.length;
    this.lanes.write(frame);
    this.#askInTime();
  }

  end(reason: PushError): void {
    if (this.stopped) return;
    this.stop();
    if (this.#pipe === 0) return;
    this.#last = this.lanes.expect(this, this.lanes.take());
    this.lanes.write(callFrame(pipePlace("stream", this.#pipe, "abort"), reason));
  }

  onReturn(call: Call): void {
    if (call === this.#last) this.#releasePipe();
    if (call !== this.#asked) return;
    this.#asked = undefined;
    this.#held.unshift(call.id);
    this.#unanswered = this.#unasked;
    this.#askInTime();
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
    if (this.#asked) {
      this.lanes.forget(this.#asked);
      this.#held.push(this.#asked.id);
    }
    this.#writeShort(this.#held.map(releaseText));
    this.#held = [];
  }

  /** One answer at a time; and well before the window is full, so that a fast reader never waits. */
  #askInTime(): void {
    if (this.#asked || this.#unasked === 0) return;
    const due = this.#unasked >= this.#windowBytes / 4 || this.#held.length >= MOST_HELD;
    if (due) this.#ask();
    else this.#timer ??= setTimeout(() => this.#ask(), this.#answerMs).unref();
  }

  #ask(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const newest = this.#held.pop()!;
    this.#asked = this.lanes.expect(this, newest);
    this.#writeShort([...this.#held.map(releaseText), `["pull",${newest}]`]);
    this.#held = [];
    this.#unasked = 0;
  }

  #releasePipe(): void {
    this.#writeShort([releaseText(this.#pipe)]);
  }

  #writeShort(texts: readonly string[]): void {
    if (texts.length > 0) this.lanes.write(Buffer.from(shortFrames(...texts), "latin1"));
  }
}

const MOST_HELD = 64; // some 500 bytes each, at the client

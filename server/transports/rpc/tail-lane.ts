/**
 * One `tail`: a pipe at the client, and a `stream` message for each batch, which the client answers
 * when its reader has room for more. So it is the reader that sets the pace.
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import { BatchLane } from "./batch-lane.ts";
import { batchFrame, callFrame, pipePlace, type Place, shortFrames } from "./lane-frames.ts";
import type { Call } from "./lanes.ts";

/** What may be on its way, or wait for the reader: the library's own first window. */
const WINDOW_BYTES = 256 * 1024;

export class TailLane extends BatchLane {
  /** The client's id of the pipe. */
  #pipe = 0;
  #place: Place = "";
  #unanswered = 0;
  /** There was something to deliver while the window was full. */
  #asked = false;
  /** The call that ends the pipe. */
  #last: Call | undefined;

  /** @param pipe what the client calls it */
  open(pipe: number): void {
    this.#pipe = pipe;
    this.#place = pipePlace(pipe, "write");
    this.start();
  }

  hasRoom(): boolean {
    if (this.#unanswered < WINDOW_BYTES) return this.lanes.hasRoom(this);
    this.#asked = true;
    return false;
  }

  write(batch: Batch): void {
    const frame = batchFrame(this.#place, batch);
    this.lanes.call(this, frame.length);
    this.#unanswered += frame.length;
    this.lanes.write(frame);
  }

  end(reason: PushError): void {
    if (this.stopped) return;
    this.stop();
    if (this.#pipe === 0) return;
    this.#last = this.lanes.call(this, 0);
    this.lanes.write(callFrame(pipePlace(this.#pipe, "abort"), reason));
  }

  onReturn(call: Call): void {
    this.#unanswered -= call.bytes;
    if (call === this.#last) this.#release();
    if (!this.#asked) return;
    this.#asked = false;
    this.wake();
  }

  /** The reader has cancelled. */
  onFailure(call: Call): void {
    if (call !== this.#last && this.stopped) return;
    this.stop();
    this.#release();
  }

  #release(): void {
    this.lanes.write(Buffer.from(shortFrames(`["release",${this.#pipe},1]`), "latin1"));
  }
}

/**
 * One `tail`: a pipe at the client, and a call of its `write` for each batch. The client answers a
 * call when its reader has room for more, so it is the reader that sets the pace.
 */
import type { Batch } from "../../contract.ts";
import type { PushError } from "../../errors.ts";
import type { Subscription } from "../../subscription.ts";
import { BatchLane, type LaneOptions } from "./batch-lane.ts";
import { batchFrame, callFrame, pipePlace, type Place, releaseText } from "./lane-frames.ts";
import type { Call, Lanes } from "./lanes.ts";

export class TailLane extends BatchLane {
  /** The client's id of the pipe. */
  #pipe = 0;
  #place: Place = "";
  /** The call that ends the pipe. */
  #last: Call | undefined;

  constructor(lanes: Lanes, subscription: Subscription, options: LaneOptions) {
    super(lanes, subscription, { ...options, calls: MOST_CALLS });
  }

  /** @param pipe what the client calls it */
  open(pipe: number): void {
    this.#pipe = pipe;
    this.#place = pipePlace("push", pipe, "write");
    this.start();
  }

  write(batch: Batch): void {
    const frame = batchFrame(this.#place, batch);
    this.window.write(frame, frame.length);
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
    else this.window.onReturn(call);
  }

  /** The reader has cancelled. */
  onFailure(call: Call): void {
    if (call !== this.#last) this.window.onFailure(call);
    this.stop();
    this.#releasePipe();
  }

  #releasePipe(): void {
    this.lanes.writeShort([releaseText(this.#pipe)]);
  }
}

const MOST_CALLS = 128; // some 500 bytes each, at the client

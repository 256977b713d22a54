/** A transport that writes down what it was told, and complains of what it should not have been. */
import type { Batch } from "../../../server/contract.ts";
import type { PushError } from "../../../server/errors.ts";
import type { Delivery, Sink } from "../../../server/wire/delivery.ts";

export class RecordingSink implements Sink {
  /** The offsets of each batch, `"♥"` for a sign of life, the code of the end. */
  readonly told: (number[] | string)[] = [];
  readonly complaints: string[] = [];
  readonly ends: PushError[] = [];
  room = true;
  /** How many writes there is room for until `giveRoom`. */
  writes = Number.POSITIVE_INFINITY;
  gone = false;
  delivery: Delivery | undefined;

  get offsets(): number[] {
    return this.told.flatMap((one) => (typeof one === "string" ? [] : one));
  }

  hasRoom(): boolean {
    return this.room;
  }

  write({ events, gap }: Batch): void {
    if (events.length === 0 && !gap) this.complaints.push("an empty batch was written");
    this.#take(events.map(({ offset }) => offset));
  }

  heartbeat({ events }: Batch): void {
    if (events.length > 0) this.complaints.push("a sign of life with events");
    this.#take("♥");
  }

  end(reason: PushError): void {
    if (this.gone) this.complaints.push("ended after the client had left");
    this.ends.push(reason);
    this.told.push(reason.code);
  }

  giveRoom(writes = Number.POSITIVE_INFINITY): void {
    this.writes = writes;
    this.room = true;
    this.delivery?.wake();
  }

  leave(): void {
    this.gone = true;
    this.delivery?.stop();
  }

  #take(what: number[] | string): void {
    if (!this.room) this.complaints.push("written without room");
    if (this.gone) this.complaints.push("written after the client had left");
    if (this.ends.length > 0) this.complaints.push("written after the end");
    this.told.push(what);
    this.writes -= 1;
    if (this.writes === 0) this.room = false;
  }
}

/**
 * The loop of every transport that pushes: wait for room, wait for a batch, hand it over. It reads
 * only when there is room, so behind a client that stops reading nothing piles up but a cursor.
 */
import type { Batch } from "../contract.ts";
import { PushError } from "../errors.ts";
import type { OnError } from "../hub.ts";
import type { MaybePromise } from "../maybe-promise.ts";
import { isEmpty, type Subscription } from "../subscription.ts";

/** A transport's half: batches → bytes. None of it throws, whatever has become of the client. */
export interface Sink {
  /** At once when there is room, or when nobody is there any more. */
  room(): MaybePromise<void>;
  write(batch: Batch): void;
  /** A sign of life after `heartbeatMs` of silence. */
  heartbeat(empty: Batch): void;
  /** The last word: why it ends, and when to come back. */
  end(reason: PushError): void;
  /** Calls back once, when the client has left. */
  onClose(callback: () => void): void;
}

export interface DeliveryOptions {
  heartbeatMs: number;
  /** At most this many events in a batch. */
  limit?: number | undefined;
  /** Whether the first batch goes out at once, even if it has nothing but a cursor. */
  greets?: boolean;
  onError: OnError;
}

/** Delivers until the client leaves or the subscription is closed. Never rejects. */
export async function deliver(
  subscription: Subscription,
  sink: Sink,
  { heartbeatMs, limit, greets = false, onError }: DeliveryOptions,
): Promise<void> {
  let left = false;
  sink.onClose(() => {
    left = true;
    subscription.close(); // wakes the loop
  });
  try {
    if (greets) sink.write(await subscription.read({ limit }));
    for (;;) {
      await sink.room();
      const batch = await subscription.next({ waitMs: heartbeatMs, limit });
      if (isEmpty(batch)) sink.heartbeat(batch);
      else sink.write(batch);
    }
  } catch (error) {
    if (!left) sink.end(toTell(error, onError));
  } finally {
    subscription.close();
  }
}

/** A client is told what a PushError says, and of any other failure only that it happened. */
function toTell(error: unknown, onError: OnError): PushError {
  if (error instanceof PushError) return error;
  onError(error, "delivery");
  return new PushError("internal", "internal error");
}

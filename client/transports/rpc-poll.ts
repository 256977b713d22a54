/**
 * A polling subscription over HTTP batches: the way of a client that has only requests. Each poll
 * acknowledges the answer before it, so a lost answer loses nothing.
 */
import type { SetTimer } from "../clock.ts";
import { type Transport, TransportError } from "../transport.ts";
import { checkBatch } from "./checked.ts";
import { pollLoop } from "./poll-loop.ts";
import { inBatch, type RpcBatchOptions } from "./rpc-batch.ts";
import { cursorOf } from "./rpc-place.ts";

export interface RpcPollOptions extends RpcBatchOptions {
  /** How long the server may hold a poll, in milliseconds, up to 30,000; 0 for plain polling. */
  readonly waitMs?: number;
  /** Between two polls that are not held. */
  readonly intervalMs?: number;
  readonly setTimer?: SetTimer;
}

export function rpcPoll({
  waitMs = 25_000,
  intervalMs = 1_000,
  setTimer,
  ...options
}: RpcPollOptions): Transport {
  const { topic } = options;
  return {
    name: "rpc-poll",
    async *open(place, signal) {
      // A subscription that begins at a cursor holds what the history holds, one at "latest" less.
      const isCursor = place.after !== undefined && place.after !== "latest";
      const after = isCursor
        ? place.after
        : await inBatch(options, signal, (api) => cursorOf(api, topic, place));
      const { subscriptionId, cursor } = await inBatch(options, signal, (api) =>
        api.subscribe(topic, { after }),
      );
      const poll = async (from: string) => {
        const call = inBatch(options, signal, (api) =>
          api.poll(subscriptionId, { after: from, waitMs }),
        );
        const batch = checkBatch(await call.catch(lapsed));
        return { batch, full: batch.events.length >= FULL_EVENTS };
      };
      try {
        const first = { batch: { events: [], cursor }, full: true };
        yield* pollLoop(first, poll, { intervalMs, held: waitMs > 0, signal, setTimer });
      } finally {
        unsubscribe(options, subscriptionId);
      }
    },
  };
}

const FULL_EVENTS = 100; // less is never worth a poll at once, more may be a batch cut by its bytes

/** A laptop that slept, a server that restarted: a new subscription from the cursor is right. */
function lapsed(error: unknown): never {
  if (!(error instanceof TransportError) || error.code !== "subscription_not_found") throw error;
  throw new TransportError(error.code, "The subscription has lapsed", { canRetry: true });
}

/** Politeness. Where it does not arrive, the lease ends the subscription. */
function unsubscribe(options: RpcBatchOptions, subscriptionId: string): void {
  const signal = AbortSignal.timeout(UNSUBSCRIBE_MS);
  inBatch(options, signal, (api) => api.unsubscribe(subscriptionId)).catch(() => {});
}

const UNSUBSCRIBE_MS = 2_000; // in Node it holds up a program that ends

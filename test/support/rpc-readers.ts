/** The ways to read a topic over Cap'n Web, each as a `Reader` of the transport contract. */
import type { Batch } from "../../server/contract.ts";
import { isEmpty } from "../../server/subscription.ts";
import type { OpenReader, TransportTraits } from "../transport-contract.ts";
import { batch, connect } from "./rpc.ts";

const WAIT_MS = 20_000;

/** `subscribe` and `poll`, each call a request of its own; the server moves the cursor. */
export const pollOverBatch: OpenReader = async ({ url }, { topic = "topic", ...options }) => {
  const { subscriptionId } = await batch(url).subscribe(topic, options);
  return {
    next: () => nonEmpty(() => batch(url).poll(subscriptionId, { waitMs: WAIT_MS })),
    close: async () => {
      await batch(url).unsubscribe(subscriptionId);
    },
  };
};

/** As above, but every poll acknowledges the answer before it. */
export const acknowledgingPoll: OpenReader = async ({ url }, { topic = "topic", ...options }) => {
  const subscribed = await batch(url).subscribe(topic, options);
  const { subscriptionId } = subscribed;
  let after = subscribed.cursor;
  return {
    next: () =>
      nonEmpty(async () => {
        const answer = await batch(url).poll(subscriptionId, { after, waitMs: WAIT_MS });
        after = answer.cursor;
        return answer;
      }),
    close: async () => {
      await batch(url).unsubscribe(subscriptionId);
    },
  };
};

/** `subscribe` and `poll` over one session. */
export const pollOverSocket: OpenReader = async (
  { socketUrl },
  { topic = "topic", ...options },
) => {
  const client = await connect(socketUrl);
  const opened = client.api.subscribe(topic, options);
  const { subscriptionId } = await opened.catch((error: unknown) => closeAndThrow(client, error));
  return {
    next: () => nonEmpty(() => client.api.poll(subscriptionId, { waitMs: WAIT_MS })),
    close: async () => {
      await client.api.unsubscribe(subscriptionId);
      client.close();
    },
  };
};

export const tail: OpenReader = async ({ socketUrl }, { topic = "topic", ...options }) => {
  const client = await connect(socketUrl);
  const opened = client.api.tail(topic, options);
  const stream = await opened.catch((error: unknown) => closeAndThrow(client, error));
  const reader = (stream as ReadableStream<Batch>).getReader();
  return {
    next: () =>
      nonEmpty(async () => {
        const { value } = await reader.read();
        return value!;
      }),
    close: async () => client.close(),
  };
};

export const listen: OpenReader = async ({ socketUrl }, { topic = "topic", ...options }) => {
  const client = await connect(socketUrl);
  // One batch at a time is handed over; until it is taken, the server gets no answer.
  let give: ((batch: Batch) => void) | undefined;
  let taken = () => {};
  let failure: Error | undefined;
  let fail = (_error: Error) => {};
  const onBatch = async (given: Batch) => {
    // The library disposes a callback's parameters when it returns, so keep a copy.
    const copy = structuredClone({ ...given });
    await new Promise<void>((resolve) => {
      taken = resolve;
      waiting.push(copy);
      give?.(waiting.shift()!);
    });
  };
  const waiting: Batch[] = [];
  const opened = client.api.listen(topic, onBatch, options);
  const handle = await opened.catch((error: unknown) => closeAndThrow(client, error));
  handle.closed().catch((error: Error) => {
    failure = error;
    fail(error);
  });
  const next = () =>
    new Promise<Batch>((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      fail = reject;
      give = (given) => {
        give = undefined;
        taken();
        resolve(given);
      };
      const first = waiting.shift();
      if (first) give(first);
    });
  return {
    next: () => nonEmpty(next),
    close: async () => {
      handle[Symbol.dispose]();
      client.close();
    },
  };
};

export const rpcReaders: [string, OpenReader, TransportTraits][] = [
  ["poll over HTTP batch", pollOverBatch, { waits: "held" }],
  ["acknowledging poll over HTTP batch", acknowledgingPoll, { waits: "held" }],
  ["poll over a WebSocket session", pollOverSocket, { waits: "held" }],
  ["tail", tail, { waits: "connected" }],
  ["listen", listen, { waits: "connected" }],
];

/** Heartbeats and waits that ended in vain are no batches to a reader. */
async function nonEmpty(next: () => PromiseLike<Batch>): Promise<Batch> {
  for (;;) {
    const given = await next();
    if (!isEmpty(given)) return given;
  }
}

function closeAndThrow(client: { close(): void }, error: unknown): never {
  client.close();
  throw error;
}

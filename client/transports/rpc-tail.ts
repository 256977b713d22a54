/** A topic as the `ReadableStream` that `tail` gives in a Cap'n Web session. */
import type { RpcStub } from "capnweb";
import type { PushSessionApi } from "../../server/contract.ts";
import { lost } from "../failures.ts";
import { type Place, type TopicBatch, type Transport, TransportError } from "../transport.ts";
import { orAborted } from "../wait.ts";
import { checkBatch } from "./checked.ts";
import type { HttpOptions } from "./http.ts";
import { cursorOf } from "./rpc-place.ts";
import { type RpcSessionOptions, withSession } from "./rpc-session.ts";
import { whyRefused } from "./why-refused.ts";

export interface RpcTailOptions extends RpcSessionOptions {
  /** The topic's own URL, to ask there why no session could be opened. */
  readonly http?: HttpOptions | undefined;
}

export function rpcTail(options: RpcTailOptions): Transport {
  const { topic, http } = options;
  return {
    name: "rpc-tail",
    async *open(place, signal) {
      let opened = false;
      try {
        yield* withSession(options, signal, (api) => {
          opened = true;
          return read(api, topic, place, signal);
        });
      } catch (error) {
        if (!http || opened || !isUnreachable(error)) throw error;
        const why = await whyRefused(http, place, signal);
        throw isUnreachable(why) ? error : why; // the first knows when the session is tried again
      }
    },
  };
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TransportError && error.code === "unreachable";
}

async function* read(
  api: RpcStub<PushSessionApi>,
  topic: string,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<TopicBatch, never> {
  const isCursor = place.after !== undefined && !/^(earliest|latest)$/.test(place.after);
  const cursor = isCursor ? place.after : await orAborted(cursorOf(api, topic, place), signal);
  const called = api.tail(topic, { after: cursor }) as Promise<unknown> as Promise<Tail>;
  // The session may be shared and go on, so the server must be told that nobody reads any more.
  const cancel = () => void called.then((stream) => stream.cancel()).catch(() => {});
  let reader: ReadableStreamDefaultReader<unknown> | undefined;
  try {
    reader = (await orAborted(called, signal)).getReader();
    yield { events: [], cursor };
    for (;;) {
      const { done, value } = await orAborted(reader.read(), signal);
      if (done) throw lost("The server ended the stream");
      yield checkBatch(value);
    }
  } finally {
    if (reader) reader.cancel().catch(() => {});
    else cancel();
  }
}

type Tail = ReadableStream<unknown>;

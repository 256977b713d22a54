/** A topic as the `ReadableStream` that `tail` gives in a Cap'n Web session. */
import type { TopicBatch, Transport } from "../transport.ts";
import { checkBatch } from "./checked.ts";
import { cursorOf } from "./rpc-place.ts";
import { type RpcSessionOptions, withSession } from "./rpc-session.ts";

export function rpcTail(options: RpcSessionOptions): Transport {
  const { topic } = options;
  return {
    name: "rpc-tail",
    open: (place, signal) =>
      withSession<TopicBatch>(options, signal, async function* (api) {
        const isCursor = place.after !== undefined && !/^(earliest|latest)$/.test(place.after);
        const cursor = isCursor ? place.after : await cursorOf(api, topic, place);
        const stream = (await api.tail(topic, { after: cursor })) as ReadableStream<unknown>;
        yield { events: [], cursor };
        const reader = stream.getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) throw new Error("The server ended the stream");
          yield checkBatch(value);
        }
      }),
  };
}

/** A topic over a plain WebSocket: each text frame is one batch as JSON. */
import { lost } from "../failures.ts";
import type { Transport } from "../transport.ts";
import { checkBatch, parseJson } from "./checked.ts";
import { Frames, openSocket, type WebSocketClass } from "./frames.ts";
import { type HttpOptions, placeUrl } from "./http.ts";
import { whyRefused } from "./why-refused.ts";

export interface WebSocketOptions extends HttpOptions {
  /** Node 20 has none of its own: pass the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass | undefined;
}

export function websocket(options: WebSocketOptions): Transport {
  const { url, WebSocket, onRequest, onBytes } = options;
  return {
    name: "websocket",
    async *open(place, signal) {
      signal.throwIfAborted();
      onRequest?.();
      const frames = new Frames(openSocket(placeUrl(url, place), WebSocket), onBytes);
      const abort = () => frames.end(signal.reason);
      signal.addEventListener("abort", abort);
      try {
        if (!(await frames.opened())) throw await whyRefused(options, place, signal);
        for (;;) yield checkBatch(parseJson(await frames.next()));
      } finally {
        signal.removeEventListener("abort", abort);
        frames.end(lost("The reader has left"));
      }
    },
  };
}

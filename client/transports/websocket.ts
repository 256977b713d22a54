/** A topic over a plain WebSocket: each text frame is one batch as JSON. */
import { lost } from "../failures.ts";
import type { Place, Transport } from "../transport.ts";
import { checkBatch, parseJson } from "./checked.ts";
import { Frames, openSocket, type WebSocketClass } from "./frames.ts";
import { type HttpOptions, placeUrl } from "./http.ts";
import { askOnce } from "./poll.ts";

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

/**
 * A browser does not tell with what status a handshake was refused. So the same is asked over plain
 * HTTP: whatever is wrong with the question, or with the server, is said there.
 */
async function whyRefused(
  { url, ...options }: HttpOptions,
  place: Place,
  signal: AbortSignal,
): Promise<unknown> {
  const address = new URL(url);
  address.protocol = address.protocol.replace("ws", "http");
  try {
    await askOnce({ url: address, ...options }, place, signal, { limit: "1" });
  } catch (error) {
    return error;
  }
  return lost("The WebSocket handshake failed");
}

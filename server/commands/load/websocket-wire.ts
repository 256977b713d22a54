/** One plain WebSocket, each text frame a batch. */
import type { IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import { closed, protocolError, unreachable } from "../../../client/failures.ts";
import type { TopicBatch, TransportError } from "../../../client/transport.ts";
import { checkBatch, parseJson } from "../../../client/transports/checked.ts";
import { placeUrl } from "../../../client/transports/http.ts";
import { refusal } from "./refusal.ts";
import type { OpenWire, WireListener } from "./wire.ts";

export function openWebSocket(url: URL): OpenWire {
  const parse = lastParsed();
  return (place, listener) => {
    const address = placeUrl(url, place);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
      finishRequest: (request) => {
        request.setSocketKeepAlive(true, KEEP_ALIVE_MS);
        request.end();
      },
    });
    return { close: listen(socket, listener, parse) };
  };
}

const KEEP_ALIVE_MS = 30_000; // the system notices a dead peer

function listen(
  socket: WebSocket,
  listener: WireListener,
  parse: (frame: Buffer) => TopicBatch,
): () => void {
  let ended = false;
  let cause: TransportError | undefined;
  const end = (failure: TransportError) => {
    if (ended) return;
    ended = true;
    socket.terminate();
    listener.ended(failure);
  };
  socket.on("open", () => listener.opened());
  socket.on("unexpected-response", (_request, response: IncomingMessage) => {
    void refusal(response).then(end);
  });
  socket.on("error", (error) => (cause ??= unreachable(error)));
  socket.on("close", (code, reason) => end(cause ?? closed(code, reason.toString())));
  socket.on("message", (data: Buffer, isBinary) => {
    if (ended) return;
    listener.bytes(data.length);
    if (isBinary) return end(protocolError("Expected text frames, got a binary one"));
    try {
      listener.batch(parse(data));
    } catch (error) {
      end(error as TransportError);
    }
  });
  return () => {
    ended = true;
    socket.terminate();
  };
}

/** Everybody at the head of a topic gets the same frame: it is parsed for the first one only. */
function lastParsed(): (frame: Buffer) => TopicBatch {
  let last = Buffer.alloc(0);
  let batch: TopicBatch | undefined;
  return (frame) => {
    if (batch && last.equals(frame)) return batch;
    batch = checkBatch(parseJson(frame.toString()));
    last = Buffer.from(frame);
    return batch;
  };
}

/**
 * One Server-Sent Events stream on Node's own HTTP client, for any server that has one. `fetch` would
 * take several times the memory for each of ten thousand.
 */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { connect as connectTls } from "node:tls";
import { type EventStreamHandlers, EventStreamParser } from "../../../client/event-stream.ts";
import { lost, protocolError, told, unreachable } from "../../../client/failures.ts";
import { type Place, TransportError } from "../../../client/transport.ts";
import { checkGap } from "../../../client/transports/checked.ts";
import { placeUrl } from "../../../client/transports/http.ts";
import { refusal } from "./refusal.ts";
import type { OpenWire, Wire, WireListener } from "./wire.ts";

export function openSse(url: URL): OpenWire {
  return (place, listener) => new SseWire(url, place, listener);
}

class SseWire implements Wire, EventStreamHandlers {
  readonly #listener: WireListener;
  readonly #request: ClientRequest;
  #failure: TransportError | undefined;
  #retryMs: number | undefined;
  #ended = false;

  constructor(url: URL, place: Place, listener: WireListener) {
    this.#listener = listener;
    this.#request = sendRequest(url, place);
    this.#request.on("response", (response) => this.#answered(response));
    this.#request.on("error", (error) => this.#end(unreachable(error)));
    this.#request.on("close", () => this.#end(lost("The connection was lost")));
    this.#request.end();
  }

  close(): void {
    this.#ended = true;
    this.#request.destroy();
  }

  onEvent(data: string, name: string | undefined, id: string | undefined): void {
    if (name === "error" && this.#isFarewell(data)) return;
    if (name !== "gap" || id === undefined) return this.#listener.event(id, data);
    this.#listener.gap(id, checkGap(JSON.parse(data)));
  }

  onId(id: string): void {
    this.#listener.place(id);
  }

  onComment(): void {
    this.#listener.heartbeat();
  }

  onRetry(retryMs: number): void {
    this.#retryMs = retryMs;
  }

  #answered(response: IncomingMessage): void {
    const type = response.headers["content-type"] ?? "no type";
    if (response.statusCode !== 200) {
      void refusal(response).then((failure) => this.#end(failure));
    } else if (!type.startsWith("text/event-stream")) {
      this.#end(protocolError(`Expected an answer of text/event-stream, got ${type}`));
    } else {
      this.#read(response);
    }
  }

  #read(response: IncomingMessage): void {
    const parser = new EventStreamParser(this);
    const decoder = new StringDecoder("utf8");
    this.#listener.opened();
    response.on("data", (chunk: Buffer) => {
      if (this.#ended) return;
      this.#listener.bytes(chunk.length);
      try {
        parser.push(decoder.write(chunk));
      } catch (error) {
        this.#end(error instanceof TransportError ? error : protocolError(String(error), error));
      }
    });
    response.on("end", () => this.#end(lost("The server ended the stream")));
    response.on("error", () => {}); // `close` follows
    response.on("close", () => this.#end(lost("The connection was lost")));
  }

  /** The last word of a server of this kind. On others `error` may be an event like any. */
  #isFarewell(data: string): boolean {
    try {
      const failure = told(JSON.parse(data));
      if (failure.code !== "protocol_error") this.#failure = failure;
    } catch {
      return false; // no JSON, so no farewell
    }
    return this.#failure !== undefined;
  }

  #end(failure: TransportError): void {
    if (this.#ended) return;
    this.close();
    const {
      code,
      message,
      canRetry,
      cause,
      retryAfterMs = this.#retryMs,
    } = this.#failure ?? failure;
    this.#listener.ended(new TransportError(code, message, { canRetry, cause, retryAfterMs }));
  }
}

/** Without an agent, which would be one more object for each connection. */
function sendRequest(url: URL, { after, last }: Place): ClientRequest {
  const isCursor = after !== undefined && !/^(earliest|latest)$/.test(after);
  const headers = {
    Accept: "text/event-stream",
    "Cache-Control": "no-store",
    // This is how any server of event streams is asked to go on.
    ...(isCursor && { "Last-Event-ID": after }),
  };
  const address = isCursor
    ? url
    : placeUrl(url, { ...(after && { after }), ...(last && { last }) });
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const secure = url.protocol === "https:";
  const port = Number(url.port) || (secure ? 443 : 80);
  const createConnection = () =>
    secure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
  const request = secure ? httpsRequest : httpRequest;
  const outgoing = request(address, { headers, createConnection });
  outgoing.setSocketKeepAlive(true, KEEP_ALIVE_MS);
  return outgoing;
}

const KEEP_ALIVE_MS = 30_000; // the system notices a dead peer; not every server has a heartbeat

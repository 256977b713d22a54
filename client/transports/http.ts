/**
 * What the transports over plain HTTP share: a question about a topic, and its answer as text, read
 * only as fast as it is taken.
 */
import { lost, protocolError, refused, unreachable } from "../failures.ts";
import type { Place, TrafficObserver } from "../transport.ts";

export interface HttpOptions extends TrafficObserver {
  /** The topic's: `https://HOST/topics/NAME`. What its query says besides the place is kept. */
  readonly url: string | URL;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch | undefined;
}

export interface Question {
  readonly place: Place;
  /** The only type of answer that will do. */
  readonly accept: string;
  /** More of the query. */
  readonly query?: Readonly<Record<string, string>>;
}

/**
 * Asks, and gives the answer when its head is there.
 * @throws {TransportError} when it is none, or not of the type that was asked for
 */
export async function ask(
  { url, fetch = globalThis.fetch, onRequest, onBytes }: HttpOptions,
  { place, accept, query }: Question,
  signal: AbortSignal,
): Promise<Response> {
  onRequest?.();
  let response: Response;
  try {
    response = await fetch(placeUrl(url, place, query), {
      headers: { Accept: accept },
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw unreachable(error);
  }
  if (response.status !== 200) throw refused(response, await wholeText(response, signal, onBytes));
  const type = response.headers.get("Content-Type") ?? "no type";
  if (type.split(";")[0]!.trim().toLowerCase() === accept) return response;
  await response.body?.cancel();
  throw protocolError(`Expected an answer of ${accept}, got ${type}`);
}

/** In the query rather than in `Last-Event-ID`: for a header of ours, browsers would ask first. */
export function placeUrl(
  url: string | URL,
  { after, last }: Place,
  query: Readonly<Record<string, string>> = {},
): URL {
  const asked = new URL(url);
  if (after !== undefined || last !== undefined) {
    asked.searchParams.delete("after");
    asked.searchParams.delete("last");
  }
  if (after !== undefined) asked.searchParams.set("after", after);
  else if (last !== undefined) asked.searchParams.set("last", String(last));
  for (const [name, value] of Object.entries(query)) asked.searchParams.set(name, value);
  return asked;
}

/**
 * An answer's text as it comes. Nothing is read before it is asked for, and leaving the loop closes
 * the connection.
 * @throws {TransportError} `connection_lost` when it is cut off
 */
export async function* textOf(
  response: Response,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<string, void> {
  if (!response.body) return;
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // the parsers know what one means
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes?.(value.byteLength);
      yield decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw lost("The connection was lost", error);
  } finally {
    // After a failure there is nothing left to cancel, and it would only say so again.
    reader.cancel().catch(() => {});
  }
}

/** @throws {TransportError} `connection_lost`, or `protocol_error` when there is no end to it */
export async function wholeText(
  response: Response,
  signal: AbortSignal,
  onBytes?: (bytes: number) => void,
): Promise<string> {
  let text = "";
  for await (const part of textOf(response, signal, onBytes)) {
    text += part;
    if (text.length > MAX_CHARS) {
      throw protocolError(`Expected an answer of at most ${MAX_CHARS} characters`);
    }
  }
  return text;
}

/** Far above what a server of this kind gives in one piece, 256 KiB and an event. */
export const MAX_CHARS = 16 * 1024 * 1024;

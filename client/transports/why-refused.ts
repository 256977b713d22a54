/**
 * A browser does not tell with what status a handshake was refused, nor whether anybody was there. So
 * the same is asked over plain HTTP: whatever is wrong with the question, or with the server, is said
 * there.
 */
import { lost } from "../failures.ts";
import type { Place } from "../transport.ts";
import type { HttpOptions } from "./http.ts";
import { askOnce } from "./poll.ts";

/** Never rejects. When HTTP gets through, it is the WebSocket that does not. */
export async function whyRefused(
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

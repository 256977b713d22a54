/** A request's body as text, bounded while it arrives. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { PushError } from "../errors.ts";

/**
 * @throws {PushError} `too_large` as soon as more than `maxBytes` are announced or have come;
 *   `invalid_request` for bytes that are not UTF-8 and for a body that ends early
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const refuse = () => {
      request.off("data", take);
      reject(new PushError("too_large", `Expected a body of at most ${maxBytes} bytes`));
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) refuse();
      else chunks.push(chunk);
    };
    const cut = () => reject(new PushError("invalid_request", "the body ended early"));
    if (Number(request.headers["content-length"]) > maxBytes) return refuse();
    request.on("data", take);
    request.once("end", () => {
      request.off("close", cut); // it follows every end
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      if (isUtf8(body)) resolve(body.toString());
      else reject(new PushError("invalid_request", "Expected a body in UTF-8"));
    });
    request.once("error", cut);
    request.once("close", cut);
  });
}

/** A stream of Server-Sent Events as it comes over the wire, without an EventSource on top. */
import { type IncomingMessage, request } from "node:http";
import { onTestFinished } from "vitest";

export interface OpenStream {
  readonly response: IncomingMessage;
  /** Everything that has come. */
  text(): string;
  /** How many times something has come. */
  chunks(): number;
  /** Everything, as soon as there are this many blocks, or the stream has ended. */
  blocks(count: number): Promise<string[]>;
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  /** Leaves. */
  close(): void;
}

/** Ended with the test. @throws {Error} for any status but 200 */
export async function openStream(
  url: string,
  headers: Record<string, string> = {},
): Promise<OpenStream> {
  const response = await begin(url, headers);
  let text = "";
  let chunks = 0;
  let done = false;
  let wake = () => {};
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    text += chunk;
    chunks += 1;
    wake();
  });
  response.on("error", () => {}); // "close" follows
  const ended = new Promise<void>((resolve) => {
    response.once("close", () => {
      done = true;
      wake();
      resolve();
    });
  });
  const blocks = () => text.split("\n\n").slice(0, -1);
  return {
    response,
    text: () => text,
    chunks: () => chunks,
    blocks: async (count) => {
      while (blocks().length < count && !done) {
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return blocks();
    },
    ended,
    close: () => response.destroy(),
  };
}

function begin(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers, agent: false });
    onTestFinished(() => {
      outgoing.destroy();
    });
    outgoing.on("error", reject);
    outgoing.once("response", (response) => {
      if (response.statusCode === 200) return resolve(response);
      reject(new Error(`status ${response.statusCode}`));
    });
    outgoing.end();
  });
}

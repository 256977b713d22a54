/** A client of the chat that keeps what it gets, word for word. */
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type { Ending } from "../../support/frames.ts";
import { until } from "../../support/until.ts";

export interface ChatVisitor {
  readonly socket: WebSocket;
  /** Every frame, acknowledgements too. */
  readonly frames: string[];
  /** Every frame but acknowledgements. */
  messages(): string[];
  acks(): number;
  /** The first frames, as soon as there are so many. @throws {Error} when it is closed before */
  first(count: number): Promise<string[]>;
  say(...texts: string[]): void;
  readonly closed: Promise<Ending>;
}

export const ACK = '{"type":"ack"}';

/** Ended with the test. */
export async function openChat(url: string, options: ClientOptions = {}): Promise<ChatVisitor> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws/chat`, options);
  onTestFinished(() => socket.terminate());
  const frames: string[] = [];
  let ending: Ending | undefined;
  socket.on("message", (data) => frames.push((data as Buffer).toString()));
  const closed = new Promise<Ending>((resolve) => {
    socket.once("close", (code, reason) => {
      ending = { code, reason: reason.toString() };
      resolve(ending);
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {}); // "close" follows
  return {
    socket,
    frames,
    closed,
    messages: () => frames.filter((frame) => frame !== ACK),
    acks: () => frames.filter((frame) => frame === ACK).length,
    first: async (count) => {
      await until(() => frames.length >= count || ending !== undefined);
      if (frames.length < count) throw new Error(`closed: ${ending!.code} ${ending!.reason}`);
      return frames.slice(0, count);
    },
    say: (...texts) => {
      for (const text of texts) socket.send(text);
    },
  };
}

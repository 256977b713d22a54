/** A WebSocket without Cap'n Web on top: a test sends and sees single frames. */
import { onTestFinished } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import type { Answer } from "./wire.ts";

export interface Ending {
  readonly code: number;
  readonly reason: string;
}

export interface FrameSocket {
  readonly socket: WebSocket;
  send(...frames: (string | Buffer)[]): void;
  /** The next message of the server. @throws {Error} when the socket has closed instead */
  next(): Promise<unknown>;
  /** Every message not taken by `next`. */
  readonly inbox: unknown[];
  /** How it ended. */
  readonly closed: Promise<Ending>;
}

/** Opens a socket, ended with the test. */
export async function openFrames(url: string, options: ClientOptions = {}): Promise<FrameSocket> {
  const socket = new WebSocket(url, options);
  onTestFinished(() => socket.terminate());
  const inbox: unknown[] = [];
  let ending: Ending | undefined;
  let wake = () => {};
  socket.on("message", (data) => {
    inbox.push(JSON.parse((data as Buffer).toString()));
    wake();
  });
  const closed = new Promise<Ending>((resolve) => {
    socket.once("close", (code, reason) => {
      ending = { code, reason: reason.toString() };
      wake();
      resolve(ending);
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => {});
  return {
    socket,
    inbox,
    closed,
    send: (...frames) => {
      for (const frame of frames) socket.send(frame);
    },
    next: async () => {
      while (inbox.length === 0) {
        if (ending) throw new Error(`closed: ${ending.code} ${ending.reason}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return inbox.shift();
    },
  };
}

/** What a refused handshake is answered. @throws {Error} when it was not refused */
export function refusedHandshake(url: string, options: ClientOptions = {}): Promise<Answer> {
  const socket = new WebSocket(url, options);
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("unexpected-response", (request, response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.once("end", () => {
        resolve({ status: response.statusCode!, headers: response.headers, text });
        request.destroy();
      });
    });
    socket.once("open", () => {
      socket.terminate();
      reject(new Error("the handshake was not refused"));
    });
  });
}

/** A WebSocket client that knows nothing of who serves it: what came, and how it ended. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { WebSocket } from "ws";
import { until } from "../support/until.ts";

export interface Frame {
  readonly data: Buffer;
  readonly binary: boolean;
}

export interface Closed {
  /** 1006: the connection ended without a close frame. */
  readonly code: number;
  readonly reason: string;
}

export interface Visit {
  readonly socket: WebSocket;
  readonly frames: readonly Frame[];
  readonly closed: Promise<Closed>;
  /** All that has come, as text: a frame each. */
  lines(): string[];
  /** The first frames as text, as soon as there are so many. @throws {Error} when it closes before */
  first(count: number): Promise<string[]>;
  /** What all frames carry, one after the other, as soon as there is so much. */
  bytes(count: number): Promise<Buffer>;
  send(data: string | Buffer): void;
  /** All that comes, when the server has ended it. */
  toEnd(): Promise<{ lines: string[] } & Closed>;
}

/** The handshake was refused. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;

  constructor(status: number, headers: IncomingHttpHeaders) {
    super(`refused with ${status}`);
    this.status = status;
    this.headers = headers;
  }
}

/** The status that it was refused with, for `catch`. @throws what is no refusal */
export function refusal(error: unknown): number {
  if (error instanceof Refused) return error.status;
  throw error;
}

export interface VisitOptions {
  /** With its query. */
  path?: string;
  headers?: OutgoingHttpHeaders;
  protocols?: readonly string[];
}

/** A server, or what stands in front of one. */
export interface Peer {
  readonly port: number;
}

/** @throws {Refused} */
export async function visit(
  { port }: Peer,
  { path = "/", headers = {}, protocols = [] }: VisitOptions = {},
): Promise<Visit> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], {
    headers: headers as Record<string, string>,
    maxPayload: 0,
  });
  const frames: Frame[] = [];
  socket.on("message", (data, binary) => frames.push({ data: data as Buffer, binary }));
  let isOver = false;
  const closed = new Promise<Closed>((resolve) => {
    socket.once("close", (code, reason) => {
      isOver = true;
      resolve({ code, reason: reason.toString() });
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("unexpected-response", (_, response) => {
      reject(new Refused(response.statusCode!, response.headers));
      response.destroy();
    });
    socket.on("error", reject);
  });
  const bytes = () => Buffer.concat(frames.map(({ data }) => data));
  const lines = () => frames.map(({ data }) => data.toString());
  return {
    socket,
    frames,
    closed,
    lines,
    send: (data) => socket.send(data),
    first: async (count) => {
      await until(() => frames.length >= count || isOver);
      if (frames.length < count) throw new Error(`it closed after ${JSON.stringify(lines())}`);
      return lines().slice(0, count);
    },
    bytes: async (count) => {
      await until(() => bytes().length >= count || isOver);
      return bytes();
    },
    toEnd: async () => {
      const end = await closed;
      return { lines: lines(), ...end };
    },
  };
}

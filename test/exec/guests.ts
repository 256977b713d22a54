/** A client of `exec` over each transport, all of one shape. What is told at the end is its own. */
import { once } from "node:events";
import { type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import type { Socket } from "node:net";
import { createParser } from "eventsource-parser";
import { RpcSession, type RpcTransport } from "capnweb";
import type { ProgramApi } from "../../server/contract.ts";
import { until } from "../support/until.ts";
import { type Peer, Refused, type Visit, visit } from "./visit.ts";

export interface Guest {
  /** What came so far. */
  lines(): readonly string[];
  /** The first lines. @throws {Error} when it ends before */
  first(count: number): Promise<readonly string[]>;
  /** The last word, as the transport says it; `cut` when there was none. */
  readonly told: Promise<string>;
  /** Takes nothing more from its connection. */
  pause(): void;
  /** What carries it. */
  readonly socket: Socket;
}

export type OpenGuest = (server: Peer, options?: GuestOptions) => Promise<Guest>;

export interface GuestOptions {
  path?: string;
  headers?: OutgoingHttpHeaders;
}

export type Transport = "WebSocket" | "Cap'n Web" | "SSE" | "NDJSON" | "text";

/** @throws {Refused} */
export const GUESTS: Readonly<Record<Transport, OpenGuest>> = {
  WebSocket: async (server, options) => {
    const { lines, first, closed, socket } = await visit(server, options);
    const pause = () => socket.pause();
    const told = closed.then(({ code, reason }) => {
      const error = /"code":"(\w+)"/.exec(reason)?.[1];
      return code === 1006 ? "cut" : [code, error].filter(Boolean).join(" ");
    });
    return { lines, first, told, pause, socket: carrier(socket) };
  },

  "Cap'n Web": async (server, options) => {
    const client = await visit(server, { ...options, protocols: ["capnweb"] });
    const { socket } = client;
    const program = new RpcSession<ProgramApi>(transportOf(client)).getRemoteMain();
    const lines: string[] = [];
    const told = (async () => {
      try {
        const output = await program.output();
        for await (const some of output) lines.push(...(some as string[]));
        const { code, signal } = await program.exit();
        return `exit ${JSON.stringify({ code, signal })}`;
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        if (code !== undefined) return `error ${code}`;
        return /^closed: (?!1006)\d+/.exec(message)?.[0] ?? "cut";
      }
    })();
    return guest(lines, told, { pause: () => socket.pause(), socket: carrier(socket) });
  },

  SSE: async (server, options) => {
    const { response, ended } = await get(server, "text/event-stream", options);
    const lines: string[] = [];
    let last: string | undefined;
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (event === undefined) lines.push(data);
        else last = `${event} ${brief(JSON.parse(data))}`;
      },
    });
    response.on("data", (text: string) => parser.feed(text));
    return guest(
      lines,
      ended.then(() => last ?? "cut"),
      held(response),
    );
  },

  NDJSON: async (server, options) => {
    const { response, ended } = await get(server, "application/x-ndjson", options);
    const lines: string[] = [];
    let rest = "";
    let last: string | undefined;
    response.on("data", (text: string) => {
      const whole = (rest + text).split("\n");
      rest = whole.pop()!;
      for (const line of whole.filter(Boolean)) {
        const { data, exit, error } = JSON.parse(line) as Record<string, unknown>;
        if (typeof data === "string") lines.push(data);
        if (exit) last = `exit ${brief(exit)}`;
        if (error) last = `error ${brief(error)}`;
      }
    });
    return guest(
      lines,
      ended.then(() => last ?? "cut"),
      held(response),
    );
  },

  text: async (server, options) => {
    const { response, ended } = await get(server, "*/*", options);
    const lines: string[] = [];
    let rest = "";
    response.on("data", (text: string) => {
      const whole = (rest + text).split("\n");
      rest = whole.pop()!;
      lines.push(...whole);
    });
    return guest(
      lines,
      ended.then((complete) => (complete ? "end" : "cut")),
      held(response),
    );
  },
};

export const TRANSPORTS = Object.keys(GUESTS) as Transport[];

/** What the library needs of a WebSocket. */
function transportOf({ frames, closed, socket }: Visit): RpcTransport {
  let taken = 0;
  return {
    send: async (message) => socket.send(message),
    receive: async () => {
      if (taken === frames.length) {
        await Promise.race([closed, new Promise((resolve) => socket.once("message", resolve))]);
      }
      taken += 1;
      const text = frames[taken - 1]?.data.toString();
      if (text === undefined) throw new Error(`closed: ${(await closed).code}`);
      return text;
    },
  };
}

type Hold = Pick<Guest, "pause" | "socket">;

function guest(lines: readonly string[], told: Promise<string>, hold: Hold): Guest {
  let isOver = false;
  void told.then(() => (isOver = true));
  const first = async (count: number) => {
    await until(() => lines.length >= count || isOver);
    if (lines.length < count) throw new Error(`it ended after ${JSON.stringify(lines)}`);
    return lines.slice(0, count);
  };
  return { lines: () => lines, first, told, ...hold };
}

interface Stream {
  readonly response: IncomingMessage;
  /** Whether it came to its proper end. */
  readonly ended: Promise<boolean>;
}

async function get(
  { port }: Peer,
  accept: string,
  { path = "/", headers = {} }: GuestOptions = {},
): Promise<Stream> {
  const outgoing = request({
    host: "127.0.0.1",
    port,
    path,
    headers: { Accept: accept, ...headers },
    agent: false,
  });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  outgoing.on("error", () => {}); // told by `ended`
  response.on("error", () => {});
  if (response.statusCode !== 200) {
    response.resume();
    throw new Refused(response.statusCode!, response.headers);
  }
  response.setEncoding("utf8");
  const ended = new Promise<boolean>((resolve) => {
    response.once("close", () => resolve(response.complete));
  });
  return { response, ended };
}

function held(response: IncomingMessage): Hold {
  return { pause: () => response.pause(), socket: response.socket };
}

/** An error's code, or how a program has ended. */
function brief(word: unknown): string {
  const { code } = word as { code: unknown };
  return typeof code === "string" ? code : JSON.stringify(word);
}

/** What is under a WebSocket. */
function carrier(socket: object): Socket {
  return (socket as { _socket: Socket })._socket;
}

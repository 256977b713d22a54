/**
 * Cap'n Web over HTTP by hand: what travels, byte for byte. The library's own client hides most of
 * what a test of the protocol has to see.
 */
import { once } from "node:events";
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface RequestOptions {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
  signal?: AbortSignal;
}

/** One request on a connection of its own. */
export function ask(url: string, options: RequestOptions = {}): Promise<Answer> {
  const { method = "GET", headers = {}, body, signal } = options;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false, ...(signal && { signal }) });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode!, headers: response.headers, text });
      });
    });
    outgoing.end(body);
  });
}

/** One HTTP batch. */
export function post(
  url: string,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> {
  return ask(`${url}/api`, { method: "POST", body, headers });
}

/** The line that calls a method of the main object. `args` as they are on the wire. */
export function push(method: string, ...args: unknown[]): string {
  return JSON.stringify(["push", ["pipeline", 0, [method], args]]);
}

/** A batch of one call and its pull; gives the line that answers it. */
export async function callLine(url: string, method: string, ...args: unknown[]): Promise<string> {
  const { status, text } = await post(url, `${push(method, ...args)}\n["pull",1]`);
  if (status !== 200) throw new Error(`${status} ${text}`);
  return text;
}

/** What one call resolves to, as it is on the wire: an array is `[[…]]`. */
export async function call<T = Record<string, unknown>>(
  url: string,
  method: string,
  ...args: unknown[]
): Promise<T> {
  const line = await callLine(url, method, ...args);
  const [kind, , value] = JSON.parse(line) as [string, number, T];
  if (kind !== "resolve") throw new Error(line);
  return value;
}

/** A bare TCP connection to the server, ended with the test. */
export async function openTcp(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}); // a reset is what some tests wait for; they look at "close"
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  return socket;
}

/** Everything that comes, until `pattern` is in it. */
export function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (!pattern.test(text)) return;
      socket.off("data", take);
      resolve(text);
    };
    socket.on("data", take);
    socket.once("close", () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
  });
}

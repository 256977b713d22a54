/**
 * The load: keep-alive connections over bare sockets, each with one request under way. It knows as
 * much HTTP as it must to find an answer's end, so that it is never the bottleneck. Under load it
 * never sleeps, because waking it would be paid by the server, and more often by a slower one.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { answer } from "../child.ts";

export type HttpLoadQuestion =
  | { kind: "open"; port: number; body: string; expect: string; connections: number }
  | { kind: "run"; ms: number }
  | { kind: "close" };
export interface Loaded {
  requests: number;
  /** Of this process, in microseconds. */
  cpu: number;
}

class Connection {
  requests = 0;
  readonly #socket: Socket;
  readonly #request: Buffer;
  readonly #expect: string;
  #received = "";
  #onAnswer = () => {};

  constructor(socket: Socket, request: Buffer, expect: string) {
    this.#socket = socket;
    this.#request = request;
    this.#expect = expect;
    socket.setEncoding("latin1").setNoDelay();
    socket.on("data", (chunk: string) => this.#take(chunk));
    socket.on("error", fail).on("close", () => fail(new Error("the server closed a connection")));
  }

  /** Asks again and again until `deadline`. */
  run(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = () => {
        this.requests += 1;
        if (performance.now() > deadline) resolve();
        else this.#socket.write(this.#request);
      };
      this.#socket.write(this.#request);
    });
  }

  close(): void {
    this.#socket.removeAllListeners("close").destroy();
  }

  #take(chunk: string): void {
    this.#received += chunk;
    const body = this.#received.indexOf("\r\n\r\n") + 4;
    if (body === 3) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#received);
    const whole = length
      ? this.#received.length >= body + Number(length[1])
      : this.#received.endsWith("\r\n0\r\n\r\n"); // chunked
    if (!whole) return;
    if (!this.#received.startsWith("HTTP/1.1 200") || !this.#received.includes(this.#expect)) {
      fail(new Error(`Expected a 200 with ${this.#expect}, got ${this.#received}`));
    }
    this.#received = "";
    this.#onAnswer();
  }
}

let connections: Connection[] = [];

answer(async (question: HttpLoadQuestion): Promise<Loaded | undefined> => {
  if (question.kind === "open") return open(question);
  if (question.kind === "run") return run(question.ms);
  for (const connection of connections) connection.close();
  return undefined;
});

async function open(question: HttpLoadQuestion & { kind: "open" }): Promise<undefined> {
  const { port, body, expect } = question;
  const request = Buffer.from(
    `POST /api HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  connections = await Promise.all(
    Array.from({ length: question.connections }, async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      return new Connection(socket, request, expect);
    }),
  );
}

async function run(ms: number): Promise<Loaded> {
  const before = process.cpuUsage();
  for (const connection of connections) connection.requests = 0;
  const deadline = performance.now() + ms;
  let done = false;
  const spin = () => {
    if (!done) setImmediate(spin);
  };
  spin();
  await Promise.all(connections.map((connection) => connection.run(deadline)));
  done = true;
  const requests = connections.reduce((sum, connection) => sum + connection.requests, 0);
  const { user, system } = process.cpuUsage(before);
  return { requests, cpu: user + system };
}

function fail(error: Error): never {
  console.error(error.message);
  process.exit(1);
}

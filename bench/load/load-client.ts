/**
 * Drives the load client, whose commands `load.c` describes. One process each, because a side that
 * is not being measured must cost nothing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Made by `buildLoad`, beside what TypeScript compiles. */
export const LOAD_PROGRAM = fileURLToPath(new URL("../../load/load", import.meta.url));

/** How a client of a server gets to where events come. */
export interface Joining {
  /** What is sent, and what is then waited for; one after the other. */
  readonly steps: readonly (readonly [send: string | Buffer, await: string])[];
  /** Frames follow the first step. */
  readonly webSocket?: boolean;
  /** A text that is a ping of the server's own protocol, and what is sent back. */
  readonly reply?: readonly [text: string, bytes: Buffer];
}

export interface OpenOptions extends Joining {
  readonly port: number;
  readonly connections: number;
  /** At most this many are on their way at once. Default 200. */
  readonly parallel?: number;
  /** Bytes of the socket's receive buffer. Default: the kernel's. */
  readonly receiveBuffer?: number;
  /** What each event carries once instead of `MARK`, and no time after it: there are no delays. */
  readonly mark?: string;
}

export interface Delays {
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Stats {
  readonly connections: number;
  /** By the server. */
  readonly closed: number;
  /** Of all connections, of the one with the fewest, of the one with the most. */
  readonly events: number;
  readonly least: number;
  readonly most: number;
  readonly bytes: number;
  /** Since the last `zero`; of them the load's processor time; of them nothing came. */
  readonly ms: number;
  readonly cpuMs: number;
  readonly idleMs: number;
  readonly bursts: number;
  readonly delay: Delays;
  /** Of the first connections, as many as `zero` was told. */
  readonly first: Delays;
}

/** What every event carries once, before the time it was published. */
export const MARK = "sent:";
/** Nanoseconds of the monotonic clock, which all processes of a machine share. */
export const MARK_DIGITS = 18;

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class LoadClient {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;
  #ended: Error | undefined;

  constructor() {
    this.#process = spawn(LOAD_PROGRAM, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface(this.#process.stdout!).on("line", (line) => this.#answered(line));
    this.#process.on("exit", (code) => {
      this.#ended = new Error(`the load client ended with ${code}`);
      for (const { reject } of this.#waiting.values()) reject(this.#ended);
    });
    this.#process.stdin!.on("error", () => {}); // `exit` follows
  }

  /** Resolves when all of them are ready for events. */
  open(set: string, options: OpenOptions): Promise<{ ms: number }> {
    const { port, connections, steps, reply, parallel, receiveBuffer, mark } = options;
    const hexSteps = steps.map(([send, ready]) => `${hex(send)}:${hex(ready)}`).join(",");
    return this.#ask("open", {
      set,
      port,
      n: connections,
      steps: hexSteps,
      ws: options.webSocket ? 1 : 0,
      mark: hex(mark ?? MARK),
      digits: mark === undefined ? MARK_DIGITS : 0,
      reply: reply && `${hex(reply[0])}:${hex(reply[1])}`,
      parallel,
      rcvbuf: receiveBuffer,
    });
  }

  /** Until each connection has had so much since the last `zero`; `open` need not have answered. */
  wait(
    set: string,
    until: { events: number } | { bytes: number },
    { timeoutMs }: { timeoutMs?: number } = {},
  ): Promise<Stats> {
    return this.#ask("wait", { set, ...until, timeout: timeoutMs });
  }

  /** The closed loop: asks for a burst, waits until all of it has come, and again, for `ms`. */
  drive(
    set: string,
    options: { control: number; events: number; ms: number; spin?: boolean },
  ): Promise<Stats> {
    return this.#ask("drive", { set, ...options, spin: options.spin ? 1 : 0 });
  }

  /** Whether it never sleeps, because to wake it would be paid by the server. */
  async spin(on: boolean): Promise<void> {
    await this.#ask("spin", { on: on ? 1 : 0 });
  }

  async zero(set: string, { first }: { first?: number } = {}): Promise<void> {
    await this.#ask("zero", { set, first });
  }

  stats(set: string): Promise<Stats> {
    return this.#ask("stats", { set });
  }

  /** The first `connections` of them, or all, stop reading. */
  async pause(set: string, { connections }: { connections?: number } = {}): Promise<void> {
    await this.#ask("pause", { set, n: connections });
  }

  async resume(set: string): Promise<void> {
    await this.#ask("resume", { set });
  }

  async closeSet(set: string): Promise<void> {
    await this.#ask("close", { set });
  }

  /** Ends it, and with it all its connections. */
  close(): void {
    this.#process.stdin!.end();
  }

  #ask<T>(command: string, values: Record<string, string | number | undefined>): Promise<T> {
    const id = (this.#id += 1);
    const words = Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== "")
      .map(([key, value]) => `${key}=${value}`);
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      this.#process.stdin!.write(`${[id, command, ...words].join(" ")}\n`);
    });
  }

  #answered(line: string): void {
    const { id, error, ...answer } = JSON.parse(line) as { id: number; error?: string };
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(`load: ${error}`));
  }
}

function hex(value: string | Buffer): string {
  return Buffer.from(value as string).toString("hex");
}

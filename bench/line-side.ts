/** One side of `exec.ts`: a server that runs a program for each connection, and its clients. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Listening } from "../test/support/listening.ts";
import { Child } from "./child.ts";
import { getStream, openSocket, textFrame } from "./load/joining.ts";
import { type Joining, LoadClient } from "./load/load-client.ts";
import { type LineServer, startLineServer } from "./peers/line-servers.ts";
import { childrenOf, cpuOf, cpuOfEnded, memoryOf } from "./peers/processor-time.ts";
import type { LineQuestion } from "./processes/line-clients.ts";

export const TRANSPORTS = {
  websocket: openSocket("/"),
  sse: getStream("/", "text/event-stream"),
  ndjson: getStream("/", "application/x-ndjson"),
} satisfies Record<string, Joining>;

export type Transport = keyof typeof TRANSPORTS;

const MARK = "line:";
const SET = "all";
const SETTLE_MS = 300; // what was waiting in pipes and sockets has been read by then
const LOOK_MS = 10;
const LONGEST_MS = 20_000; // until programs are gone

/** @param bytes without its end, at least 5 */
export function markedLine(bytes: number): string {
  return MARK.padEnd(bytes, "x");
}

export interface Memory {
  /** Of the server itself, in bytes. */
  readonly before: number;
  readonly few: number;
  readonly many: number;
  /** Of one program. */
  readonly programRss: number;
  readonly programPss: number;
}

export class LineSide {
  /** Of the load's core, while it was measured: 1 is all of it. */
  readonly loadBusy: number[] = [];
  readonly #kind: LineServer;
  readonly #load = new LoadClient();
  readonly #clients = new Child("line-clients");
  #server: Listening | undefined;
  /** Also when a measurement has failed: it would be left behind. */
  readonly #kill = () => void this.#server?.process.kill();

  constructor(kind: LineServer) {
    this.#kind = kind;
  }

  async start(command: readonly string[]): Promise<void> {
    this.#server = await startLineServer(this.#kind, command);
    process.on("exit", this.#kill);
  }

  /** What programs print of their own accord. @returns the server's microseconds for each line */
  read(transport: Transport, connections: number, ms: number): Promise<number> {
    return this.#whileOpen(TRANSPORTS[transport], connections, ms);
  }

  /** Each client sends a line when it has the last one back. @returns the same */
  async takeTurns(bytes: number, connections: number, ms: number): Promise<number> {
    const line = markedLine(bytes);
    const frame = textFrame(line);
    const joining = { ...openSocket("/", [frame, ""]), reply: [line, frame] as const };
    return this.#whileOpen(joining, connections, ms);
  }

  /** One client, as fast as it goes. @returns the same */
  async write(bytes: number, ms: number, { echo }: { echo: boolean }): Promise<number> {
    const { port, process } = this.#server!;
    await this.#ask({ kind: "open", port, bytes });
    const before = cpuOf(process.pid!);
    const lines = await this.#ask<number>({ kind: "write", ms, echo });
    const cost = (cpuOf(process.pid!) - before) / lines;
    await this.#ask({ kind: "close" });
    await this.#programs(0);
    return cost;
  }

  /** Programs that end at once. @returns microseconds each, of the server and of the program */
  async visit(visits: number, lanes: number): Promise<{ server: number; program: number }> {
    const { port, process } = this.#server!;
    const pid = process.pid!;
    const before = { server: cpuOf(pid), program: cpuOfEnded(pid) };
    await this.#ask({ kind: "visit", port, visits, lanes });
    await this.#programs(0);
    return {
      server: (cpuOf(pid) - before.server) / visits,
      program: (cpuOfEnded(pid) - before.program) / visits,
    };
  }

  async hold(few: number, many: number): Promise<Memory> {
    const { port, process } = this.#server!;
    const rss = () => memoryOf(process.pid!).rss;
    const before = rss();
    const held: number[] = [];
    for (const [set, connections] of Object.entries({ few, rest: many - few })) {
      await this.#load.open(set, { port, connections, ...TRANSPORTS.websocket });
      await this.#programs(set === "few" ? few : many);
      await sleep(SETTLE_MS);
      held.push(rss());
    }
    const programs = childrenOf(process.pid!).map(memoryOf);
    const each = (of: "rss" | "pss") =>
      programs.reduce((sum, memory) => sum + memory[of], 0) / programs.length;
    return {
      before,
      few: held[0]!,
      many: held[1]!,
      programRss: each("rss"),
      programPss: each("pss"),
    };
  }

  async close(): Promise<void> {
    this.#load.close();
    this.#clients.close();
    await this.#server?.kill("SIGTERM");
    process.off("exit", this.#kill);
  }

  async #whileOpen(joining: Joining, connections: number, ms: number): Promise<number> {
    const { port, process } = this.#server!;
    await this.#load.open(SET, { port, connections, ...joining, mark: MARK });
    await this.#load.spin(true); // to be woken would be paid by the server
    await this.#load.wait(SET, { events: 1 }); // now all of the programs run
    await sleep(SETTLE_MS);
    await this.#load.zero(SET);
    const before = cpuOf(process.pid!);
    await sleep(ms);
    const { events, closed, ms: took, idleMs } = await this.#load.stats(SET);
    const cost = (cpuOf(process.pid!) - before) / events;
    if (closed > 0) throw new Error(`${closed} programs ended`);
    this.loadBusy.push(1 - idleMs / took);
    await this.#load.spin(false);
    await this.#load.closeSet(SET);
    await this.#programs(0);
    return cost;
  }

  /** Until so many run. */
  async #programs(count: number): Promise<void> {
    const end = performance.now() + LONGEST_MS;
    while (childrenOf(this.#server!.process.pid!).length !== count) {
      if (performance.now() > end) throw new Error(`Expected ${count} programs to run`);
      await sleep(LOOK_MS);
    }
  }

  #ask<T>(question: LineQuestion): Promise<T> {
    return this.#clients.ask(question);
  }
}

/** One line of the table: a behaviour, and what is seen of it on either side. */
import type { Listening } from "../support/listening.ts";
import type { Visit, VisitOptions } from "./visit.ts";

export type SideName = "websocketd" | "exec";

/** What differs by its name on the command line and is the same thing. */
export type Flags = Readonly<Record<SideName, readonly string[]>>;

/** One of the two servers, and a client for it. Both end with the test. */
export interface Side {
  readonly name: SideName;
  start(command: readonly string[], flags?: Flags, env?: NodeJS.ProcessEnv): Promise<Listening>;
  visit(server: Listening, options?: VisitOptions): Promise<Visit>;
  /** A server of its own for one client. */
  run(command: readonly string[], flags?: Flags): Promise<Visit>;
}

interface Behaviour {
  readonly name: string;
  /** Runs it and says what happened; the expectation is data, and compared deeply. */
  see(side: Side): Promise<unknown>;
}

export type Row = Behaviour & ({ readonly same: unknown } | Readonly<Record<SideName, unknown>>);

export function expected(row: Row, side: SideName): unknown {
  return "same" in row ? row.same : row[side];
}

/** A program for the shell. No server runs one by itself. */
export function sh(script: string, ...args: readonly string[]): string[] {
  return ["sh", "-c", script, "sh", ...args];
}

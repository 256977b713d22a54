/**
 * Starts programs, and is the only place that does. Each leads a process group of its own, so that
 * what it starts ends with it. No shell is involved: arguments arrive as they are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { PushError } from "../errors.ts";
import type { Exit, Program } from "../exec/program.ts";
import { logLines } from "./log-lines.ts";
import { HAS_GROUPS, type Patience, ProcessGroup, within } from "./process-group.ts";

export interface ProgramOptions {
  command: string;
  args: readonly string[];
  /** All of its environment. A command without a slash is looked for in this one's PATH. */
  env: Readonly<Record<string, string>>;
  /** Gives it a stdin; without, it finds the end of it at once. */
  input: boolean;
  /** MUST NOT throw. Each line of stderr, at most 4 KiB of it. */
  onStderr: (line: string) => void;
  /** When it is told to stop. */
  patience?: Partial<Patience>;
}

const INPUT_MS = 5_000; // for a program that reads slowly to take what waits for it
// When all are gone who could print, for what is still in the pipes. Only who has left the session
// can hold these open for longer.
const LAST_WORDS_MS = 1_000;

/**
 * The program runs when this has answered.
 * @throws {PushError} `program_failed`: it cannot be started, and nothing is left of the attempt
 */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  try {
    return new StartedProgram(await spawned(options), options);
  } catch (error) {
    throw new PushError("program_failed", `Cannot start ${named(options.command)}: ${why(error)}`);
  }
}

function spawned({ command, args, env, input }: ProgramOptions): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env,
      stdio: [input ? "pipe" : "ignore", "pipe", "pipe"],
      detached: HAS_GROUPS, // setsid(2): a session and a group of its own
      windowsHide: true,
    });
    child.once("spawn", () => resolve(child));
    child.on("error", reject); // later ones are signals that were not sent
  });
}

class StartedProgram implements Program {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stdin: Writable | undefined;
  readonly exited: Promise<Exit>;
  readonly #group: ProcessGroup;
  readonly #stderr: Readable;
  readonly #logged: Promise<void>;
  #stopped: Promise<void> | undefined;

  /** @param child has been started just now */
  constructor(child: ChildProcess, { onStderr, patience }: ProgramOptions) {
    this.pid = child.pid!;
    this.stdout = child.stdout!;
    this.stdin = child.stdin ?? undefined;
    this.#stderr = child.stderr!;
    // What a stream failed with, EPIPE mostly, is told by its end.
    for (const stream of child.stdio) stream?.on("error", () => {});
    // When a process exits, Node resumes what `stdio` lists, also what was paused, and nobody might
    // be there yet to take it.
    child.stdio[1] = null;
    this.#group = new ProcessGroup(child, patience);
    this.exited = this.#group.exited;
    this.#logged = logLines(this.#stderr, onStderr);
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    await within(INPUT_MS, Promise.race([this.#given(), this.exited]));
    await this.#group.end();
    await within(LAST_WORDS_MS, Promise.all([this.#logged, this.#heard()]));
    for (const stream of [this.stdin, this.stdout, this.#stderr]) stream?.destroy();
  }

  /** Ends its input. Resolves when what was said to it has left us: its patience begins there. */
  #given(): Promise<unknown> {
    const { stdin } = this;
    if (!stdin || stdin.closed) return Promise.resolve();
    return new Promise((resolve) => {
      stdin.once("close", resolve);
      stdin.end(resolve);
    });
  }

  /** Resolves when who reads stdout has all of it; at once when nobody does. */
  async #heard(): Promise<void> {
    const { stdout } = this;
    const isRead = stdout.readableFlowing === true || stdout.listenerCount("readable") > 0;
    if (isRead && !stdout.closed) await new Promise((resolve) => stdout.once("close", resolve));
  }
}

function named(command: string): string {
  return /^[\w./:@+-]+$/.test(command) ? command : JSON.stringify(command);
}

/** For whoever started it, or asked for it: what is wrong, in words. */
function why(error: unknown): string {
  const { code = String(error) } = error as NodeJS.ErrnoException;
  return REASONS.get(code) ?? `the system answered ${code}`;
}

const NOT_FOUND = "it was not found, or what its first line names was not";
const NO_ROOM = "there is no room for another process";
const REASONS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", NOT_FOUND],
  ["ENOTDIR", NOT_FOUND],
  ["EACCES", "it may not be run"],
  ["EPERM", "it may not be run"],
  ["ENOEXEC", "it is not a program"],
  ["EAGAIN", NO_ROOM],
  ["ENOMEM", NO_ROOM],
  ["EMFILE", NO_ROOM],
  ["ENFILE", NO_ROOM],
  ["E2BIG", "its arguments and environment are too long"],
  ["ERR_INVALID_ARG_VALUE", "its name is empty, or it was given a null byte"],
]);

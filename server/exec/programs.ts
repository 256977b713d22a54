/**
 * The programs that run, one for each connection: started when there is room, and counted until none
 * of their processes is left.
 */
import type { IncomingMessage } from "node:http";
import type { PushError } from "../errors.ts";
import { onGone } from "../wire/on-gone.ts";
import { cgiVariables } from "./environment.ts";
import { checkFetchMetadata } from "./fetch-metadata.ts";
import type { Program } from "./program.ts";
import { Relay } from "./relay.ts";
import { Slots } from "./slots.ts";

/** @param input whether it gets any; without, its stdin is empty */
export type StartProgram = (request: {
  env: Record<string, string>;
  input: boolean;
}) => Promise<Program>;

export interface ProgramsOptions {
  start: StartProgram;
  /** Bytes as they come instead of lines. */
  binary: boolean;
  /** At once. */
  maxProcesses: number;
  /** Of one client's address. Default: as many as in all. */
  maxProcessesPerAddress?: number | undefined;
  /** Whose pages may start programs, besides the server's own. */
  allowOrigins?: readonly string[];
  /** For SERVER_SOFTWARE: `name/version`. */
  software: string;
}

export class Programs {
  readonly #options: ProgramsOptions;
  readonly #slots: Slots;
  readonly #relays = new Set<Relay>();
  /** Each resolves when its program is gone, cannot be ended, or could not be started. */
  readonly #ends = new Set<Promise<void>>();
  #closed: (() => PushError) | undefined;

  constructor(options: ProgramsOptions) {
    const { maxProcesses: max, maxProcessesPerAddress: maxPerAddress } = options;
    this.#options = options;
    this.#slots = new Slots({ max, maxPerAddress });
  }

  /** How many run, or are about to begin or end. */
  get size(): number {
    return this.#slots.size;
  }

  /**
   * Starts one for this request, whose client may leave at any time.
   * @throws {PushError} `forbidden`, `invalid_request`, `too_many_processes`: then nothing was
   *   started; `program_failed`
   */
  async start(request: IncomingMessage, { input }: { input: boolean }): Promise<Relay> {
    const { start, binary, software, allowOrigins } = this.#options;
    checkFetchMetadata(request.headers, allowOrigins);
    const env = cgiVariables(request, software);
    const giveBack = this.#slots.take(request.socket.remoteAddress ?? "");
    const starting = start({ env, input }).then((program) => new Relay(program, { binary }));
    const ended = starting.then((relay) => relay.gone).catch(() => {}); // told by `starting`
    this.#ends.add(ended);
    void ended.then(() => this.#ends.delete(ended));
    const relay = await starting.catch((error: unknown) => {
      giveBack();
      throw error;
    });
    this.#relays.add(relay);
    const stopWatching = onGone(request, () => relay.leave());
    void ended.then(() => {
      this.#relays.delete(relay);
      stopWatching();
    });
    // One that cannot be ended keeps its slot, or they would pile up.
    void Promise.all([ended, relay.program.exited]).then(giveBack);
    if (this.#closed) relay.fail(this.#closed());
    return relay;
  }

  /** Ends every program, and tells its client why. */
  close(reason: () => PushError): void {
    this.#closed = reason;
    for (const relay of this.#relays) relay.fail(reason());
  }

  /** Resolves when no process is left that can be ended. */
  async gone(): Promise<void> {
    await Promise.all(this.#ends);
  }
}

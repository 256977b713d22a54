/**
 * A process and all that it started, as one: it leads a process group, and the group is ended as a
 * whole, also when its leader has gone before. Linux tells who has left the group, as `timeout` and
 * the jobs of a shell do, but not the session; they are ended too. Who has left that is let go.
 */
import type { ChildProcess } from "node:child_process";
import type { Exit } from "../exec/program.ts";
import { isLivingMember, livingMembers, type Member } from "./group-members.ts";

/** How long they have from one hint to stop to the next, stronger one; in milliseconds. */
export interface Patience {
  /** Until SIGINT. */
  intMs: number;
  /** From there until SIGTERM. */
  termMs: number;
  /** From there until SIGKILL. */
  killMs: number;
}

const PATIENCE: Patience = { intMs: 100, termMs: 250, killMs: 500 }; // as websocketd has it
const LOOK_MS = 5; // between two looks whether a group is gone, of which there is no event
// After SIGKILL. Some cannot be ended: who runs as another user, or waits for a disk that is gone; and
// in places zombies cannot be told from the living.
const LAST_MS = 1_000;

/** Windows has neither groups nor signals. */
export const HAS_GROUPS = process.platform !== "win32";

export class ProcessGroup {
  /** Resolves when the leader has ended. */
  readonly exited: Promise<Exit>;
  readonly #leader: ChildProcess;
  readonly #id: number;
  readonly #patience: Patience;
  /** Those that lived when we last looked. */
  #members: readonly Member[] = [];
  /** By us: it had not ended by itself. */
  #isEnded = false;
  /** The number of a group that is gone may be given to another: it is never signalled again. */
  #groupIsGone = false;

  /** @param leader has been started just now, `detached` */
  constructor(leader: ChildProcess, patience: Partial<Patience> = {}) {
    this.#leader = leader;
    this.#id = leader.pid!;
    this.#patience = { ...PATIENCE, ...patience };
    this.exited = new Promise((resolve) => {
      leader.once("exit", (code, signal) => {
        this.#hasGroup();
        resolve({ code, signal });
      });
    });
  }

  /**
   * Resolves when nobody is left whom we can end. Its timers hold the event loop, so that no process
   * is left behind by one that ends.
   */
  async end(): Promise<void> {
    const { intMs, termMs, killMs } = this.#patience;
    this.#isEnded = this.#leader.exitCode === null && this.#leader.signalCode === null;
    if (await this.#isGoneWithin(intMs)) return;
    await this.#hint("SIGINT");
    if (await this.#isGoneWithin(termMs)) return;
    await this.#hint("SIGTERM");
    if (await this.#isGoneWithin(killMs)) return;
    await this.#hint("SIGKILL");
    // Who cannot be ended must not hold this process.
    if (!(await this.#isGoneWithin(LAST_MS))) this.#leader.unref();
  }

  async #isGoneWithin(ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    await within(ms, this.exited);
    while (!(await this.#isGone())) {
      const leftMs = end - performance.now();
      if (leftMs <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, LOOK_MS)));
    }
    return true;
  }

  async #isGone(): Promise<boolean> {
    const { exitCode, signalCode } = this.#leader;
    if (exitCode === null && signalCode === null) return false;
    // Who has ended by itself is believed to leave nobody outside its group: to look for them costs
    // milliseconds.
    if (!this.#hasGroup() && !this.#isEnded) return true;
    return !(await this.#hasMembers());
  }

  async #hasMembers(): Promise<boolean> {
    // All processes are looked through only when those that were seen last are gone.
    if (this.#members.some(({ pid }) => isLivingMember(pid, this.#id))) return true;
    const members = await livingMembers(this.#id);
    this.#members = members ?? [];
    return members ? members.length > 0 : this.#hasGroup();
  }

  async #hint(signal: NodeJS.Signals): Promise<void> {
    const members = await livingMembers(this.#id);
    this.#members = members ?? [];
    // Where it can be known, nobody is signalled who only has the number of one that is gone.
    const isThere = members?.some(({ group }) => group === this.#id) ?? true;
    if (isThere && this.#hasGroup()) this.#signal(signal);
    for (const { pid, group } of this.#members) {
      if (group !== this.#id) kill(pid, signal);
    }
  }

  #hasGroup(): boolean {
    this.#groupIsGone ||= !this.#signal(0);
    return !this.#groupIsGone;
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    // On Windows the leader is ended at the first one, without warning; what it started runs on.
    return HAS_GROUPS ? kill(-this.#id, signal) : this.#leader.kill(signal);
  }
}

/** kill(2). @returns whether somebody is there to get it, if only a zombie; 0 only asks */
function kill(id: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(id, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH"; // EPERM: there, but not ours
  }
}

/** Resolves when the promise does, or after `ms`. */
export function within(ms: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

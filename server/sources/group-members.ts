/**
 * Who of a session still runs. kill(2) cannot tell: zombies answer like the living, and the first
 * process of a container may reap them late or never; and a process may have left the group for one
 * of its own. Linux tells in /proc, proc_pid_stat(5).
 */
import { readdirSync, readFileSync } from "node:fs";

const SLICE_MS = 2; // of reading before others have their turn; some 10 µs a process

export interface Member {
  readonly pid: number;
  /** Its process group. */
  readonly group: number;
}

/** @returns undefined where it cannot be known */
export async function livingMembers(session: number): Promise<Member[] | undefined> {
  const members: Member[] = [];
  let began = performance.now();
  for (const pid of processes()) {
    const member = memberOf(session, read(pid));
    if (member) members.push(member);
    if (performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
  return isTold() ? members : undefined;
}

/** False also where it cannot be known. */
export function isLivingMember(pid: number, session: number): boolean {
  return memberOf(session, read(pid)) !== undefined;
}

/** @param stat `pid (name) state ppid pgrp session …`, of which the name may be anything */
export function memberOf(session: number, stat: string): Member | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, , group, itsSession] = fields;
  // The thread that a process began with may end before the others: the process looks like a
  // zombie then, but for num_threads.
  const isDead = state === "X" || (state === "Z" && Number(fields[17]) <= 1);
  if (isDead || Number(itsSession) !== session) return undefined;
  return { pid: Number.parseInt(stat, 10), group: Number(group) };
}

function processes(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function isTold(): boolean {
  return read(process.pid) !== "";
}

function read(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1"); // a name may be any bytes
  } catch {
    return ""; // gone meanwhile, or no such file on this system
  }
}

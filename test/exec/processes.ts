/** What the system says of processes: Linux's /proc, read only. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface ProcessState {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** `R`, `S`, `T` (stopped), `Z` (a zombie) … */
  readonly state: string;
  readonly threads: number;
}

/** Undefined when there is none of this pid. */
export function stateOf(pid: number): ProcessState | undefined {
  const text = read(`/proc/${pid}/stat`);
  // The name, in parentheses, may have spaces and parentheses of its own.
  const fields = text?.slice(text.lastIndexOf(")") + 2).split(" ");
  if (!fields) return undefined;
  const [state, parent, group] = fields as [string, string, string];
  return { pid, parent: Number(parent), group: Number(group), state, threads: Number(fields[17]) };
}

/** A zombie does not count: it holds nothing but its number. */
export function isAlive(pid: number): boolean {
  const found = stateOf(pid);
  if (!found || found.state === "X") return false;
  return found.state !== "Z" || found.threads > 1; // others may outlive the first thread
}

/** Zombies too. */
export function childrenOf(pid: number): ProcessState[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => stateOf(Number(name)) ?? [])
    .filter(({ parent }) => parent === pid);
}

/** What it holds in memory, in MiB. */
export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1]) / 1_024;
}

/** The most it has ever held, in MiB. */
export function peakMiB(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1]) / 1_024;
}

/** How much it has written so far, to whatever. */
export function bytesWritten(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(read(`/proc/${pid}/io`) ?? "")?.[1]);
}

/** What each of its open file descriptors is: `socket`, `pipe`, a path … */
export function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, "");
    } catch {
      return []; // closed meanwhile
    }
  });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

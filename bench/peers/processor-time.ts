/** Of processes that are not this one, as Linux tells in /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** @returns microseconds on a processor, user and system; of the threads that it has now */
export function cpuOf(pid: number): number {
  // In nanoseconds; /proc/PID/stat only counts hundredths of a second.
  const times = tasks(pid).map((task) => Number(read(`${task}/schedstat`).split(" ")[0]));
  return times.reduce((sum, time) => sum + time, 0) / 1_000;
}

/** @returns microseconds, of all its children that have ended; proc_pid_stat(5), cutime and cstime */
export function cpuOfEnded(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * TICK_US;
}

export function childrenOf(pid: number): number[] {
  const lists = tasks(pid).map((task) => read(`${task}/children`).split(" "));
  return lists.flat().filter(Boolean).map(Number);
}

/** @returns bytes; `pss` counts what several processes share by parts, so that it can be added up */
export function memoryOf(pid: number): { rss: number; pss: number } {
  const text = read(`/proc/${pid}/smaps_rollup`);
  const bytes = (name: string) => {
    const [, kibibytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)!;
    return Number(kibibytes) * 1024;
  };
  return { rss: bytes("Rss"), pss: bytes("Pss") };
}

const TICK_US = 10_000; // USER_HZ is 100 wherever Node runs

function tasks(pid: number): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`);
}

function read(file: string): string {
  return readFileSync(file, "utf8");
}

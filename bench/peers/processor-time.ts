/** Of processes that are not Node's: what Linux counts for them. */
import { readFileSync } from "node:fs";

/** @returns microseconds on a processor, user and system; of a process with one thread */
export function cpuOf(pid: number): number {
  // In nanoseconds; /proc/PID/stat only counts hundredths of a second.
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1_000;
}

export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

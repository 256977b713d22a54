/** How many files a process may have open: every connection is one, here and in the server. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * For this process and those it starts from now on.
 * @returns how many there may be; fewer than `needed` when that is not allowed
 */
export function raiseFileLimit(needed: number): number {
  const before = limit();
  if (before >= needed) return before;
  try {
    execFileSync("prlimit", [`--nofile=${needed}:${needed}`, `--pid=${process.pid}`]);
  } catch {
    // Only root may. The caller says what that means.
  }
  return limit();
}

/** The hard one: Node and the load client raise the soft one to it by themselves. */
function limit(): number {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(
    readFileSync("/proc/self/limits", "utf8"),
  )!;
  return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
}

/**
 * The counters of Linux, straight from /proc. No library: `os.cpus()` leaves out the time spent
 * waiting for disks, so a core that only waits looks fully busy; it also blocks for up to 20 ms
 * per core (nodejs/node#61998), and systeminformation starts a shell for each interface.
 */
import { readFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { countedInterfaces } from "./counted-interfaces.ts";
import type { CpuTimes, HostCounters } from "./host-counters.ts";

/** @throws when /proc is not mounted or hides these files; there is no other place to ask. */
export async function readLinuxCounters(): Promise<HostCounters> {
  const [stat, netDev] = await Promise.all([
    readFile("/proc/stat", "utf8"),
    readFile("/proc/net/dev", "utf8"),
  ]);
  const bytes = parseNetDev(netDev);
  const totalBytes = totalmem();
  return {
    cpu: parseCpuTimes(stat),
    // On Linux freemem() is MemAvailable (since libuv 1.45): caches count as free, as in `free`.
    memory: { usedBytes: totalBytes - freemem(), totalBytes },
    networkBytes: new Map(countedInterfaces(bytes.keys()).map((name) => [name, bytes.get(name)!])),
  };
}

/**
 * The first line of /proc/stat, in ticks: user nice system idle iowait irq softirq steal, then
 * guest and guest_nice, which user and nice contain already (proc_stat(5)).
 */
export function parseCpuTimes(stat: string): CpuTimes {
  const fields = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.trim().split(/ +/, 8).map(Number) ?? [];
  const [idle, iowait = 0] = fields.slice(3);
  if (idle === undefined) throw new Error('Expected a line "cpu" with four numbers in /proc/stat');
  return { idle: idle + iowait, total: fields.reduce((sum, ticks) => sum + ticks, 0) };
}

/**
 * /proc/net/dev: after two lines of headings one line for each interface, `name: bytes received,
 * 7 more of receiving, bytes sent, 7 more of sending`. Old kernels have no space after the colon.
 */
export function parseNetDev(netDev: string): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const line of netDev.split("\n")) {
    const [, name, numbers] = /^\s*([^\s:]+):\s*(\d[\d\s]*)$/.exec(line) ?? [];
    const fields = numbers?.trim().split(/\s+/) ?? [];
    if (name !== undefined && fields.length > 8) {
      bytes.set(name, Number(fields[0]) + Number(fields[8]));
    }
  }
  return bytes;
}

/**
 * The counters of macOS, Windows and the BSDs. Node knows the CPU; for the rest systeminformation
 * starts a few processes per reading, so it is loaded only here and asked only for what counts.
 */
import { cpus, freemem, networkInterfaces, totalmem } from "node:os";
import { countedInterfaces } from "./counted-interfaces.ts";
import type { CpuTimes, HostCounters } from "./host-counters.ts";

export async function readPortableCounters(): Promise<HostCounters> {
  const [memory, networkBytes] = await Promise.all([readMemory(), readNetworkBytes()]);
  return { cpu: sumCpuTimes(cpus()), memory, networkBytes };
}

/** Some sandboxes show no CPU at all: then both are 0. */
export function sumCpuTimes(cores: readonly { readonly times: CoreTimes }[]): CpuTimes {
  let idle = 0;
  let total = 0;
  for (const { times } of cores) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, total };
}

interface CoreTimes {
  readonly user: number;
  readonly nice: number;
  readonly sys: number;
  readonly idle: number;
  readonly irq: number;
}

/** What this needs of systeminformation's answer for one interface. */
interface InterfaceStats {
  readonly iface: string;
  readonly rx_bytes: number;
  readonly tx_bytes: number;
}

/**
 * systeminformation answers 0 and 0 (or NaN) when a command has failed. Such an interface is left
 * out, to begin anew later: as a 0 it would make the next sample show all bytes since boot.
 */
export function sumInterfaceBytes(stats: readonly InterfaceStats[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { iface, rx_bytes, tx_bytes } of stats) {
    if (rx_bytes + tx_bytes > 0) bytes.set(iface, rx_bytes + tx_bytes);
  }
  return bytes;
}

async function readNetworkBytes(): Promise<Map<string, number>> {
  // Not "*": that asks for every interface there is, with two processes each on macOS.
  const names = countedInterfaces(Object.keys(networkInterfaces()));
  if (names.length === 0) return new Map();
  const { networkStats } = await import("systeminformation");
  return sumInterfaceBytes(await networkStats(names.join(",")));
}

async function readMemory(): Promise<HostCounters["memory"]> {
  const totalBytes = totalmem();
  if (process.platform !== "darwin") return { usedBytes: totalBytes - freemem(), totalBytes };
  // On macOS freemem() leaves out all that is cached: a healthy Mac would seem 99 % full.
  const { mem } = await import("systeminformation");
  return { usedBytes: (await mem()).active, totalBytes };
}

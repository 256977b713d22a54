import { describe, expect, test } from "vitest";
import {
  readPortableCounters,
  sumCpuTimes,
  sumInterfaceBytes,
} from "../../../server/sources/portable-counters.ts";

describe("sumCpuTimes", () => {
  test("adds all cores", () => {
    const core = { times: { user: 1, nice: 2, sys: 3, idle: 10, irq: 4 } };
    expect(sumCpuTimes([core, core])).toEqual({ idle: 20, total: 40 });
  });

  test("is 0 where no core is shown", () => {
    expect(sumCpuTimes([])).toEqual({ idle: 0, total: 0 });
  });
});

describe("sumInterfaceBytes", () => {
  test("adds what was sent and received, and leaves out what could not be read", () => {
    const stats = [
      { iface: "en0", rx_bytes: 5, tx_bytes: 7 },
      { iface: "en1", rx_bytes: 0, tx_bytes: 1 },
      { iface: "en2", rx_bytes: 0, tx_bytes: 0 },
      { iface: "en3", rx_bytes: Number.NaN, tx_bytes: 3 },
    ];
    expect([...sumInterfaceBytes(stats)]).toEqual([
      ["en0", 12],
      ["en1", 1],
    ]);
  });
});

test("reads this host, whatever it is", async () => {
  const { cpu, memory, networkBytes } = await readPortableCounters();
  expect(cpu.total).toBeGreaterThanOrEqual(cpu.idle);
  expect(memory.usedBytes).toBeGreaterThan(0);
  expect(memory.usedBytes).toBeLessThan(memory.totalBytes);
  for (const bytes of networkBytes.values()) expect(bytes).toBeGreaterThan(0);
});

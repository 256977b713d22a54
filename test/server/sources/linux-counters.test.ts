import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  parseCpuTimes,
  parseNetDev,
  readLinuxCounters,
} from "../../../server/sources/linux-counters.ts";

const HEADINGS = `\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;
const NET_DEV = `${HEADINGS}\
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 409088535   11316    0    0    0     0          0         0   640308    6440    0    0    0     0       0          0
wlp3s0:18446744073709551615 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0
`;

describe("parseNetDev", () => {
  test.each([
    ["the text of a real host", NET_DEV, { lo: 6386, eth0: 409728843, wlp3s0: 2 ** 64 + 5 }],
    ["headings alone", HEADINGS, {}],
    ["nothing", "", {}],
    ["a line cut short", "eth0: 1 2 3 4 5 6 7 8\neth1: 1 0 0 0 0 0 0 0 2", { eth1: 3 }],
    ["no space after the colon", "eth0:1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0", { eth0: 3 }],
    ["numbers that are none", "eth0: -1 0 0 0 0 0 0 0 2\neth1: x 0 0 0 0 0 0 0 2", {}],
    ["names of objects' own things", "__proto__: 1 0 0 0 0 0 0 0 2", { ["__proto__"]: 3 }],
  ])("reads %s", (_, text, bytes) => {
    expect([...parseNetDev(text)]).toEqual(Object.entries(bytes));
  });

  test("gives back what was written, for any interfaces", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9@._-]{0,14}$/);
    const field = fc.nat({ max: 2 ** 31 });
    const fields = fc.array(field, { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(fc.dictionary(name, fields), (interfaces) => {
        const lines = Object.entries(interfaces).map(
          ([key, f]) => `${key.padStart(6)}: ${f.join(" ")}`,
        );
        const bytes = Object.entries(interfaces).map(([key, f]) => [key, f[0]! + f[8]!]);
        expect([...parseNetDev(HEADINGS + lines.join("\n"))]).toEqual(bytes);
      }),
    );
  });

  test("gives whole numbers or nothing, for any text", () => {
    fc.assert(
      fc.property(likely(NET_DEV), (text) => {
        for (const bytes of parseNetDev(text).values()) expect(bytes).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

const STAT = `\
cpu  4971 10 2411 225447 272 1 70 8 900 7
cpu0 2500 5 1200 112700 136 0 35 4 450 3
cpu1 2471 5 1211 112747 136 1 35 4 450 4
intr 123456 0 0
ctxt 987654
`;

describe("parseCpuTimes", () => {
  test.each([
    // user + nice + system + idle + iowait + irq + softirq + steal; guests are in user and nice
    ["the text of a real host", STAT, { idle: 225719, total: 233190 }],
    ["an old kernel's four fields", "cpu  1 2 3 4\ncpu0 1 2 3 4\n", { idle: 4, total: 10 }],
    ["a sandbox that hides its load", "cpu  0 0 0 0 0 0 0 0 0 0\n", { idle: 0, total: 0 }],
    ["the line anywhere", "btime 5\ncpu 1 1 1 1 1\n", { idle: 2, total: 5 }],
  ])("reads %s", (_, text, times) => {
    expect(parseCpuTimes(text)).toEqual(times);
  });

  test.each(["", "cpu0 1 2 3 4\n", "cpu  1 2 3\n", "cpu  a b c d\n", "cpu\n"])(
    "refuses %j",
    (text) => {
      expect(() => parseCpuTimes(text)).toThrow('Expected a line "cpu" with four numbers');
    },
  );

  test("gives numbers or throws, and idle is a part of total, for any text", () => {
    fc.assert(
      fc.property(likely(STAT), (text) => {
        const { idle, total } = attempt(() => parseCpuTimes(text)) ?? { idle: 0, total: 0 };
        expect(idle).toBeGreaterThanOrEqual(0);
        expect(total).toBeGreaterThanOrEqual(idle);
      }),
    );
  });
});

describe.runIf(process.platform === "linux")("readLinuxCounters", () => {
  test("reads this host", async () => {
    const { cpu, networkBytes } = await readLinuxCounters();
    expect(cpu.idle).toBeGreaterThanOrEqual(0);
    expect(cpu.total).toBeGreaterThanOrEqual(cpu.idle);
    expect([...networkBytes.keys()]).not.toContain("lo");
  });

  test("takes for used memory what is not MemAvailable", async () => {
    const [total = 0, available = 0] = ["MemTotal", "MemAvailable"].map(meminfoBytes);
    const { usedBytes, totalBytes } = (await readLinuxCounters()).memory;
    expect(totalBytes).toBe(total);
    // Other programs take and give memory between the two readings.
    expect(Math.abs(usedBytes - (total - available)) / total).toBeLessThan(0.05);
  });
});

/** Anything, and more often this text with a piece replaced by anything. */
function likely(text: string): fc.Arbitrary<string> {
  const spliced = fc
    .tuple(
      fc.nat(text.length),
      fc.nat(40),
      fc.oneof(fc.string(), fc.stringMatching(/^[\d \n:-]*$/)),
    )
    .map(([at, cut, piece]) => text.slice(0, at) + piece + text.slice(at + cut));
  return fc.oneof({ weight: 4, arbitrary: spliced }, { weight: 1, arbitrary: fc.string() });
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function meminfoBytes(name: string): number {
  const line = new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(readFileSync("/proc/meminfo", "utf8"));
  return Number(line?.[1]) * 1024;
}

/** The dashboard's stream, who is counted, and what is told about it. */
import { describe, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { openStream } from "./open-stream.ts";
import { FIGURES, startedDemos } from "./started-demos.ts";

interface Dashboard {
  readonly system_status: Record<string, string>;
  readonly metrics: Record<string, string>;
  readonly activities: readonly { message: string; level: string; css_class: string }[];
  readonly timestamp: string;
}

const QUIET = { dashboardMs: 3_600_000 }; // one update, and then those that are triggered

function parse(block: string): Dashboard {
  return JSON.parse(block.replace(/^data: /, "")) as Dashboard;
}

async function connections(url: string): Promise<number> {
  const { text } = await ask(`${url}/dashboard/debug`);
  return (JSON.parse(text) as { connections: number }).connections;
}

describe("an update", () => {
  test("has every figure as a text with its unit, in the order of the model", async () => {
    const { url } = await startedDemos(QUIET);
    const [block] = await (await openStream(`${url}/dashboard/stream`)).blocks(1);
    const time = "\\d\\d:\\d\\d:\\d\\d";
    const text =
      `{"system_status":{"status":"online","uptime":"2 days, 14 hours","last_check":"${time}",` +
      `"message":"System running normally"},"metrics":{"cpu":"45%","memory":"67%","disk":"23%",` +
      `"network":"125 Mbps","response_time":"\\d+ms"},"activities":\\[{"time":"${time}",` +
      `"message":"Dashboard updated","level":"info","css_class":"activity-info"}\\],` +
      `"timestamp":"${time}"}`;
    expect(block).toMatch(new RegExp(`^data: ${text}$`));
  });

  test.each([
    [59 * 60, "0 days, 0 hours"],
    [25 * 3600, "1 day, 1 hour"],
    [400 * 24 * 3600 + 3_599, "400 days, 0 hours"],
  ])("after %i s the host is up for %s", async (uptimeSeconds, uptime) => {
    const sample = () => Promise.resolve({ ...FIGURES, uptimeSeconds });
    const { url } = await startedDemos({ ...QUIET, sample });
    const [block] = await (await openStream(`${url}/dashboard/stream`)).blocks(1);
    expect(parse(block!).system_status["uptime"]).toBe(uptime);
  });

  test("comes at once to each, and then to all at the same time", async () => {
    const { url } = await startedDemos({ dashboardMs: 100 });
    const streams = [
      await openStream(`${url}/dashboard/stream`),
      await openStream(`${url}/dashboard/stream`),
    ];
    const [ann, bob] = await Promise.all(streams.map((stream) => stream.blocks(4)));
    expect(ann!.slice(-2).some((block) => bob!.includes(block))).toBe(true);
    for (const block of [...ann!, ...bob!]) expect(block).toMatch(/^data: \{.*\}$/);
  });

  test("is a topic as well, so it can be had in every other way", async () => {
    const { url } = await startedDemos(QUIET);
    await openStream(`${url}/dashboard/stream`).then((stream) => stream.blocks(1));
    const { text } = await ask(`${url}/topics/dashboard?last=1`);
    const { events } = JSON.parse(text) as { events: { data: Dashboard }[] };
    expect(events[0]!.data.metrics["cpu"]).toBe("45%");
  });
});

describe("the heartbeat", () => {
  test("comes by the clock, although updates come more often", async () => {
    const { url } = await startedDemos({ dashboardMs: 20, limits: { heartbeatMs: 200 } });
    const began = performance.now();
    const stream = await openStream(`${url}/dashboard/stream`);
    const beats = () => stream.text().match(/^: heartbeat$/gm)?.length ?? 0;
    await until(() => beats() >= 5);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(stream.text().match(/^data: /gm)!.length).toBeGreaterThan(10);
    expect(stream.text()).toMatch(/\n\n: heartbeat\n\n/);
  });

  test("comes no more often than that when nothing else does", async () => {
    const { url } = await startedDemos({ ...QUIET, limits: { heartbeatMs: 100 } });
    const began = performance.now();
    const stream = await openStream(`${url}/dashboard/stream`);
    const blocks = await stream.blocks(7);
    expect(blocks.slice(1)).toEqual(Array.from({ length: 6 }, () => ": heartbeat"));
    expect(performance.now() - began).toBeGreaterThan(550);
  });
});

describe("what happened", () => {
  test("is told newest first: who came, who left, what was triggered", async () => {
    const { url } = await startedDemos(QUIET);
    const stream = await openStream(`${url}/dashboard/stream`);
    await stream.blocks(1);
    (await openStream(`${url}/dashboard/stream`)).close();
    await until(async () => (await connections(url)) === 1);
    const { text } = await ask(`${url}/dashboard/trigger-test`);
    expect(JSON.parse(text)).toEqual({ status: "sent", connections: 1 });
    const blocks = await stream.blocks(2);
    const { activities } = parse(blocks[1]!);
    expect(activities.map(({ message, level }) => `${level}: ${message}`)).toEqual([
      "info: Dashboard updated",
      "warning: Test triggered",
      "info: Client left",
      "success: Client connected",
      "success: Client connected",
    ]);
    for (const { level, css_class } of activities) expect(css_class).toBe(`activity-${level}`);
  });

  test("is told for the last ten only", async () => {
    const { url } = await startedDemos(QUIET);
    const stream = await openStream(`${url}/dashboard/stream`);
    for (let count = 0; count < 12; count += 1) await ask(`${url}/dashboard/trigger-test`);
    const blocks = await stream.blocks(13);
    expect(parse(blocks[11]!).activities).toHaveLength(10);
    expect(parse(blocks[12]!).activities).toHaveLength(10);
  });

  test("triggers at the same time are all sent, and measured one after the other", async () => {
    let measuring = 0;
    const sample = async () => {
      expect((measuring += 1)).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      measuring -= 1;
      return FIGURES;
    };
    const { url, errors } = await startedDemos({ ...QUIET, sample });
    const stream = await openStream(`${url}/dashboard/stream`);
    await stream.blocks(1);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask(`${url}/dashboard/trigger-test`)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await stream.blocks(9)).toHaveLength(9);
    expect(errors).toEqual([]);
  });

  test("a HEAD triggers nothing", async () => {
    const { url, hub } = await startedDemos(QUIET);
    await openStream(`${url}/dashboard/stream`).then((stream) => stream.blocks(1));
    const { cursor } = await hub.read("dashboard", { after: "latest" });
    const { status, text } = await ask(`${url}/dashboard/trigger-test`, { method: "HEAD" });
    expect([status, text]).toEqual([200, ""]);
    expect((await hub.read("dashboard", { after: "latest" })).cursor).toBe(cursor);
  });
});

describe("the connections", () => {
  test("are counted while they last", async () => {
    const { url, hub } = await startedDemos(QUIET);
    expect(await connections(url)).toBe(0);
    const streams = [];
    for (let count = 0; count < 5; count += 1) {
      streams.push(await openStream(`${url}/dashboard/stream`));
    }
    expect(await connections(url)).toBe(5);
    for (const stream of streams) stream.close();
    await until(async () => (await connections(url)) === 0);
    expect(hub.stats().readers).toBe(0);
  });

  test("are not counted for a HEAD, nor when they are refused", async () => {
    const { url } = await startedDemos({ ...QUIET, limits: { readers: 1 } });
    await openStream(`${url}/dashboard/stream`);
    const { headers } = await ask(`${url}/dashboard/stream`, { method: "HEAD" });
    expect(headers["content-type"]).toBe("text/event-stream");
    const refused = await ask(`${url}/dashboard/stream`);
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("5");
    expect(await connections(url)).toBe(1);
  });
});

test("when the host cannot be measured it is told once, and the next attempt is made", async () => {
  let attempts = 0;
  const sample = () => {
    attempts += 1;
    return attempts < 4 ? Promise.reject(new Error("no /proc")) : Promise.resolve(FIGURES);
  };
  const { url, errors } = await startedDemos({ dashboardMs: 10, sample });
  const stream = await openStream(`${url}/dashboard/stream`);
  expect((await stream.blocks(1))[0]).toMatch(/^data: /);
  expect(errors).toEqual([new Error("no /proc")]);
});

/** "Go SSE Server": the dashboard's stream, its endpoints and its load client. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRAM, type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { until } from "../support/until.ts";
import { ask } from "../support/wire.ts";
import { run } from "./shell.ts";

const CURL = 'curl -N -H "Accept: text/event-stream" http://localhost:3001/dashboard/stream';
const CLIENT = './sse-client -url "http://localhost:3001/dashboard/stream" -clients 1 -debug';

const DATA = `{
  "system_status": {
    "status": "online",
    "uptime": "2 days, 14 hours",
    "last_check": "15:04:05",
    "message": "System running normally"
  },
  "metrics": {
    "cpu": "45%",
    "memory": "67%",
    "disk": "23%",
    "network": "125 Mbps",
    "response_time": "87ms"
  },
  "activities": [
    {
      "time": "15:04:05",
      "message": "Dashboard updated",
      "level": "info",
      "css_class": "activity-info"
    }
  ],
  "timestamp": "15:04:05"
}`;

let server: ServerProcess;

beforeAll(async () => {
  server = await startProcess();
});

afterAll(async () => {
  await server?.kill("SIGKILL");
});

/** With only the port changed, and quietly. */
function onPort(line: string, { port } = server): string {
  return line.replace("3001", `${port}`).replace("curl -N", "curl -sN");
}

/** The same with every text replaced by its form: digits by 0, and one digit is as good as two. */
function formOf(value: unknown): unknown {
  if (typeof value === "string")
    return value.replace(/\d+/g, "0").replace(/\b(day|hour)\b/g, "$1s");
  if (Array.isArray(value)) return [formOf((value as unknown[])[0])];
  const entries = Object.entries(value as object);
  return entries.map(([key, inner]) => [key, formOf(inner)]); // in their order
}

describe("the stream", () => {
  test("begins at once with all the data, in the format of the document, key by key", async () => {
    const stdout = await run(onPort(CURL)).prints(/\n\n/);
    const [block] = stdout.split("\n\n");
    expect(block).toMatch(/^data: \{.*\}$/); // unnamed, on one line
    const data = JSON.parse(block!.slice("data: ".length)) as { activities: unknown[] };
    expect(formOf(data)).toEqual(formOf(JSON.parse(DATA)));
    const [updated] = (JSON.parse(DATA) as typeof data).activities;
    expect(formOf(data.activities)).toEqual([formOf(updated)]);
  });

  test("goes on every few seconds", async () => {
    const began = performance.now();
    const stdout = await run(onPort(CURL)).prints(/(?:data: .*\n\n){3}/);
    expect(performance.now() - began).toBeLessThan(15_000);
    const stamps = [...stdout.matchAll(/"timestamp":"(.*?)"/g)].map(([, stamp]) => stamp);
    expect(new Set(stamps).size).toBe(3);
  });

  test("shows figures of this host that can be true", async () => {
    const stdout = await run(onPort(CURL)).prints(/\n\n/);
    const { metrics, timestamp } = JSON.parse(stdout.split("\n\n")[0]!.slice(6)) as {
      metrics: Record<string, string>;
      timestamp: string;
    };
    for (const name of ["cpu", "memory", "disk"]) {
      expect(Number.parseInt(metrics[name]!)).toBeLessThanOrEqual(100);
    }
    expect(Number.parseInt(metrics["memory"]!)).toBeGreaterThan(0);
    const now = new Date();
    const [hours, minutes] = timestamp.split(":").map(Number);
    const minutesApart = Math.abs(hours! * 60 + minutes! - now.getHours() * 60 - now.getMinutes());
    expect(Math.min(minutesApart, 24 * 60 - minutesApart)).toBeLessThanOrEqual(5);
  });

  test("sends heartbeats at their interval, whatever else it sends", async () => {
    const quick = await startedProcess(["--heartbeat", "1"]);
    const began = performance.now();
    await run(onPort(CURL, quick)).prints(/(?:^: heartbeat\n\n[^]*){5}/m);
    const elapsed = performance.now() - began;
    expect(elapsed).toBeGreaterThan(4_500);
    expect(elapsed).toBeLessThan(10_000);
  });
});

describe("the endpoints", () => {
  test("debug tells the status, and how many are connected", async () => {
    const quiet = await startedProcess();
    const debug = async () => {
      const { status, headers, text } = await ask(`${quiet.url}/dashboard/debug`);
      expect(status).toBe(200);
      expect(headers["content-type"]).toMatch(/^application\/json/);
      return JSON.parse(text) as Record<string, unknown>;
    };
    expect(await debug()).toEqual({
      status: "running",
      server: expect.any(String),
      current_time: expect.stringMatching(/^\d\d:\d\d:\d\d$/),
      connections: 0,
    });
    const clients = [run(onPort(CURL, quiet)), run(onPort(CURL, quiet))];
    for (const client of clients) await client.prints(/data/);
    expect(await debug()).toMatchObject({ connections: 2 });
    for (const client of clients) await client.interrupt();
    await until(async () => (await debug())["connections"] === 0);
  });

  test("trigger-test broadcasts to all who are connected", async () => {
    const quiet = await startedProcess();
    const clients = [run(onPort(CURL, quiet)), run(onPort(CURL, quiet))];
    for (const client of clients) await client.prints(/data/);
    const { text } = await ask(`${quiet.url}/dashboard/trigger-test`);
    expect(JSON.parse(text)).toMatchObject({ connections: 2 });
    for (const client of clients) await client.prints(/Test triggered/);
  });

  test("health is OK", async () => {
    const shell = run(onPort("curl -s http://localhost:3001/health"));
    expect(await shell.ended).toBe(0);
    expect(shell.stdout()).toBe("OK");
  });
});

describe("the load client", () => {
  const command = CLIENT.replace("./sse-client", `${process.execPath} ${PROGRAM} load`);

  test("connects, and tells of messages and heartbeats", async () => {
    const quick = await startedProcess(["--heartbeat", "1"]);
    const shell = run(onPort(command, quick));
    const connections = async () => {
      const { text } = await ask(`${quick.url}/dashboard/debug`);
      return (JSON.parse(text) as { connections: number }).connections;
    };
    await until(async () => (await connections()) === 1);
    await shell.prints(/heartbeat/i);
    const report = await shell.interrupt();
    expect(report).toMatch(/^messages +[1-9]/m);
    expect(report).toMatch(/^heartbeats +[1-9]/m);
    expect(await shell.ended).toBe(0);
    await until(async () => (await connections()) === 0);
  });

  test("wants at least one client", async () => {
    const shell = run(onPort(command.replace("-clients 1", "-clients 0")));
    expect(await shell.ended).not.toBe(0);
    expect(shell.stderr()).toContain("Number of clients must be at least 1");
  });
});

/** The clocks and counters: byte for byte, at the door, and when a client or the server goes. */
import { describe, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { openChat } from "./open-chat.ts";
import { openStream } from "./open-stream.ts";
import { startedDemos } from "./started-demos.ts";

const STREAMS = [
  "/dashboard/stream",
  "/HelloServlet",
  "/api/time",
  "/api/client-count",
  "/events/feed",
];

describe.each(STREAMS)("%s", (path) => {
  test("begins with the headers of a stream", async () => {
    const { url } = await startedDemos();
    const { response } = await openStream(url + path);
    expect(response.headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "transfer-encoding": "chunked",
    });
    expect(response.headers).not.toHaveProperty("content-encoding");
  });

  test("answers a HEAD with the head alone, and names what else it answers", async () => {
    const { url } = await startedDemos();
    const head = await ask(url + path, { method: "HEAD" });
    expect([head.status, head.text]).toEqual([200, ""]);
    expect(head.headers["content-type"]).toBe("text/event-stream");
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await ask(url + path, { method });
      expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
    }
  });

  test("is closed to pages of a foreign origin", async () => {
    const { url } = await startedDemos();
    const headers = { Origin: "https://evil.example" };
    expect((await ask(url + path, { headers })).status).toBe(403);
  });

  test("lets in as many as there may be; one more gets 503 before anything is sent", async () => {
    const { url } = await startedDemos({ limits: { readers: 3 } });
    const streams = [];
    for (let count = 0; count < 3; count += 1) streams.push(await openStream(url + path));
    const { status, headers, text } = await ask(url + path);
    expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    expect(JSON.parse(text)).toMatchObject({ error: { code: "limit_exceeded" } });
    streams[0]!.close();
    await until(async () => (await ask(url + path, { method: "HEAD" })).status === 200);
    await until(() => openStream(url + path).then(Boolean, () => false));
  });

  test("ends with a time to come back when the server stops", async () => {
    const { url, app, errors } = await startedDemos();
    const stream = await openStream(url + path);
    await stream.blocks(1);
    await app.close({ graceMs: 1_000, random: () => 0.75 });
    await stream.ended;
    expect(stream.text()).toMatch(/\n\nretry: 750\n[^]*\n\n$/);
    expect(stream.text()).toContain('"code":"shutting_down"');
    expect(errors).toEqual([]);
  });
});

describe("/api/time", () => {
  test("comes at once and then at every tick, in the bytes of its model", async () => {
    const { url } = await startedDemos({ tickMs: 20 });
    const stream = await openStream(`${url}/api/time`);
    await stream.blocks(5);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d`;
    expect(stream.text()).toMatch(new RegExp(`^(event:time\ndata:"${time}"\n\n){5,}$`));
    const times = [...stream.text().matchAll(/"(.*)"/g)].map(([, text]) => Date.parse(text!));
    expect(Math.abs(times[0]! - Date.now())).toBeLessThan(60_000);
    expect(times).toEqual([...times].sort((one, other) => one - other));
  });
});

describe("/HelloServlet", () => {
  test("sends twenty times the milliseconds since 1970, and ends", async () => {
    const { url } = await startedDemos({ tickMs: 5 });
    const before = Date.now();
    const stream = await openStream(`${url}/HelloServlet`);
    await stream.ended;
    expect(stream.text()).toMatch(/^(data: \d{13}\n\n){20}$/);
    const times = [...stream.text().matchAll(/\d+/g)].map(Number);
    expect(times[0]).toBeGreaterThanOrEqual(before);
    expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(19 * 4);
  });

  test("begins anew for each client", async () => {
    const { url } = await startedDemos({ tickMs: 5 });
    const streams = await Promise.all([1, 2, 3].map(() => openStream(`${url}/HelloServlet`)));
    for (const stream of streams) expect(await stream.blocks(21)).toHaveLength(20);
  });
});

describe("/events/feed", () => {
  test("says the time and how many are in the chat", async () => {
    const { url } = await startedDemos({ tickMs: 20 });
    const stream = await openStream(`${url}/events/feed`);
    await stream.blocks(2);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d`;
    const tick = `event: tick\ndata: {"time":"${time}","count":0}\n\n`;
    expect(stream.text()).toMatch(new RegExp(`^(${tick})+$`));
    const [ann] = [await openChat(url), await openChat(url)];
    await until(() => stream.text().includes('"count":2}'));
    ann.socket.close();
    await until(() => stream.text().endsWith('"count":1}\n\n'));
  });
});

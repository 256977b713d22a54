/**
 * The program behind the real nginx with the README's settings, and what each of them is for. A
 * minute passes in here: that long a stream must be silent before nginx would cut it.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Batch } from "../../server/contract.ts";
import { launchBrowser, openPage } from "../static/open-page.ts";
import { refusedHandshake } from "../support/frames.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { batch, openSocket } from "../support/rpc.ts";
import { type ServerProcess, startedLocal, startProcess } from "../support/server.ts";
import {
  openNdjson,
  openSse,
  openTail,
  type OpenTopic,
  openWebSocket,
  type TopicClient,
} from "../support/topic-clients.ts";
import { until } from "../support/until.ts";
import { ask, openTcp, readUntil } from "../support/wire.ts";
import { numbers } from "../transport-contract.ts";

const TOKEN = "nginx-test-token";
const ARGS = ["--publish-token", TOKEN, "--allow-origin", "https://push.example.com"];
const SILENCE_MS = 61_500; // nginx cuts a stream after 60 s, if it is not told otherwise

const streams: [string, OpenTopic][] = [
  ["SSE", openSse],
  ["NDJSON", openNdjson],
  ["WebSocket", openWebSocket],
  ["Cap'n Web tail", openTail],
];

let server: ServerProcess;
let nginx: Nginx;
let silent: { readonly since: number; readonly clients: readonly TopicClient[] };

beforeAll(async () => {
  // Nothing but events: no heartbeat within the hour keeps a stream alive.
  server = await startProcess([...ARGS, "--heartbeat", "3600"]);
  nginx = await startNginx(server.port);
  await publish("silence", "before");
  // They are silent while the other tests run.
  const clients = await Promise.all(streams.map(([, open]) => open(nginx.url, "silence")));
  silent = { since: performance.now(), clients };
});

afterAll(async () => {
  for (const client of silent?.clients ?? []) client.close();
  await nginx?.close();
  await server?.kill("SIGKILL");
});

/** Past nginx, unless told otherwise. */
async function publish(topic: string, data: unknown, url = server.url): Promise<void> {
  const headers = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
  const body = JSON.stringify(data);
  const { status, text } = await ask(`${url}/topics/${topic}`, { method: "POST", headers, body });
  if (status !== 201) throw new Error(`${status} ${text}`);
}

async function opened(open: OpenTopic, topic: string): Promise<TopicClient> {
  const client = await open(nginx.url, topic);
  onTestFinished(client.close);
  return client;
}

/** An nginx that a test may stop, ended with it. */
async function startedNginx(serverPort: number): Promise<Nginx> {
  const started = await startNginx(serverPort);
  onTestFinished(() => started.close());
  return started;
}

describe.each(streams)("%s through nginx", (name, open) => {
  const topic = name.replaceAll(/\W/g, "-").toLowerCase();

  test("hands over each event before the next one is published", async () => {
    await publish(topic, "before");
    const client = await opened(open, topic);
    for (const number of numbers(1, 20)) {
      await publish(topic, { number }, nginx.url);
      expect((await client.next()).data).toEqual({ number });
    }
  });

  test("a reload of nginx cuts nothing", async () => {
    await publish(topic, "before");
    const client = await opened(open, topic);
    await nginx.reload();
    const newcomer = await opened(open, topic);
    await publish(topic, "after", nginx.url);
    expect((await client.next()).data).toBe("after");
    expect((await newcomer.next()).data).toBe("after");
  });

  test("goes on where it was when nginx is stopped in mid-stream, again and again", async () => {
    const proxy = await startedNginx(server.port);
    const cursors: string[] = [];
    let connections = 0;
    let cuts = 0;
    await publish(topic, "before");
    const first = await open(proxy.url, topic);
    const begin = first.cursor;
    first.close();
    const total = 5 * 30;

    const follow = async () => {
      while (cursors.length < total) {
        let client: TopicClient | undefined;
        await until(async () => {
          client = await open(proxy.url, topic, cursors.at(-1) ?? begin).catch(() => undefined);
          return client !== undefined;
        });
        connections += 1;
        try {
          while (cursors.length < total) cursors.push((await client!.next()).cursor);
          client!.close();
        } catch {
          cuts += 1;
        }
      }
    };
    const disturb = async () => {
      for (let round = 0; round < 5; round += 1) {
        const size = cursors.length;
        for (let count = 0; count < 10; count += 1) await publish(topic, { round, count });
        await until(() => cursors.length > size); // in mid-stream
        const stopped = proxy.stop();
        for (let count = 10; count < 30; count += 1) await publish(topic, { round, count });
        await stopped;
        await proxy.start();
      }
    };
    await Promise.all([follow(), disturb()]);
    const before = offsetOf(begin);
    expect(cursors.map(offsetOf)).toEqual(numbers(before + 1, before + total));
    expect(cuts).toBeGreaterThanOrEqual(4);
    expect(connections).toBeGreaterThanOrEqual(cuts);
  });
});

test("a client that stops reading is behind by a cursor, not by a pile in nginx", async () => {
  const total = 800; // of 60,000 bytes each; the history holds 16 MiB, the sockets some more
  await publish("frozen", "before");
  const socket = await openTcp(nginx.url);
  const request = ["GET /topics/frozen HTTP/1.1", "Host: localhost", "Accept: text/event-stream"];
  socket.write(`${request.join("\r\n")}\r\n\r\n`);
  await readUntil(socket, /retry:/);
  socket.pause();
  for (const number of numbers(1, total)) {
    await publish("frozen", { last: number === total, text: "x".repeat(60_000) });
  }
  let gap: string | undefined;
  let text = "";
  for await (const chunk of socket) {
    text = text.slice(-200) + (chunk as Buffer).toString("latin1");
    gap ??= /event: gap\ndata: (.*)\n/.exec(text)?.[1];
    if (text.includes('"last":true')) break;
  }
  expect(gap).toMatch(/^{"missed":\d{3},"reason":"evicted"}$/);
});

describe("Cap'n Web through nginx", () => {
  test("calls over HTTP batch and over a WebSocket", async () => {
    const socket = await openSocket(`${nginx.url.replace("http", "ws")}/api`);
    for (const api of [() => batch(nginx.url), () => socket.api]) {
      await publish("calls", "before");
      const { subscriptionId } = await api().subscribe("calls");
      const answer = api().poll(subscriptionId, { waitMs: 25_000 });
      const events = answer.then((polled: Batch) => polled.events.map(({ data }) => data));
      await publish("calls", "polled", nginx.url);
      expect(await events).toEqual(["polled"]);
      expect(await api().unsubscribe(subscriptionId)).toMatchObject({ status: "inactive" });
      await expect(api().poll(subscriptionId)).rejects.toMatchObject({
        code: "subscription_not_found",
      });
    }
  });
});

describe("requests through nginx", () => {
  test("a long-poll is held until there is something, or until its time is over", async () => {
    await publish("long", "before");
    const { text } = await ask(`${nginx.url}/topics/long`);
    const { cursor } = JSON.parse(text) as Batch;
    const over = await ask(`${nginx.url}/topics/long?after=${cursor}&wait=0.1`);
    expect(JSON.parse(over.text)).toEqual({ events: [], cursor });
    const held = ask(`${nginx.url}/topics/long?after=${cursor}&wait=25`);
    await publish("long", "held", nginx.url);
    const answer = JSON.parse((await held).text) as Batch;
    expect(answer.events.map(({ data }) => data)).toEqual(["held"]);
  });

  test("errors come as the server tells them", async () => {
    const url = `${nginx.url}/topics/unknown`;
    const error = { error: { code: "topic_not_found", message: expect.any(String) } };
    for (const accept of ["*/*", "text/event-stream", "application/x-ndjson"]) {
      const { status, text } = await ask(url, { headers: { Accept: accept } });
      expect([status, JSON.parse(text)]).toEqual([404, error]);
    }
    expect((await refusedHandshake(url.replace("http", "ws"))).status).toBe(404);
    const wrong = await ask(url, { method: "DELETE" });
    expect(wrong.status).toBe(405);
    expect(wrong.headers["allow"]).toContain("POST");
    expect((await ask(url, { method: "POST", body: "1" })).status).toBe(401);
  });

  test("503 comes with its time to come back", async () => {
    const full = await startedLocal({ limits: { readers: 1 } });
    const proxy = await startedNginx(Number(new URL(full.url).port));
    const client = await openSse(proxy.url, "topic");
    onTestFinished(client.close);
    const headers = { Accept: "text/event-stream" };
    const refused = await ask(`${proxy.url}/topics/topic`, { headers });
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("5");
    expect(JSON.parse(refused.text)).toMatchObject({ error: { code: "limit_exceeded" } });
  });

  test("the public name and its origin pass, a page's own does, others do not", async () => {
    const statusOf = async (headers: Record<string, string>) =>
      (await ask(`${nginx.url}/topics`, { headers })).status;
    const Host = "push.example.com";
    expect(await statusOf({ Host })).toBe(200);
    expect(await statusOf({ Host, Origin: "https://push.example.com" })).toBe(200);
    expect(await statusOf({ Host: `127.0.0.1:${nginx.port}`, Origin: nginx.url })).toBe(200);
    expect(await statusOf({ Host: "evil.example" })).toBe(403);
    expect(await statusOf({ Host, Origin: "https://evil.example" })).toBe(403);
  });

  test("reuse nginx's connection to the server, which nginx drops before the server does", async () => {
    const sockets = new Set<Socket>();
    const upstream = createServer((request, response) => {
      sockets.add(request.socket);
      response.end();
    });
    const { keepAliveTimeout } = upstream; // the server behind nginx has Node's default too
    upstream.keepAliveTimeout = 0;
    onTestFinished(() => {
      upstream.closeAllConnections();
      upstream.close();
    });
    await once(upstream.listen(0, "127.0.0.1"), "listening");
    const proxy = await startedNginx((upstream.address() as AddressInfo).port);
    for (let count = 0; count < 5; count += 1) await ask(proxy.url);
    expect(sockets.size).toBe(1);
    const idleSince = performance.now();
    await once([...sockets][0]!, "close");
    expect(performance.now() - idleSince).toBeLessThan(keepAliveTimeout);
  });
});

describe("an EventSource in a browser, through nginx", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  test("comes back when nginx has restarted, and has every event once", async () => {
    const proxy = await startedNginx(server.port);
    await publish("page", 1);
    const source = await openSource(proxy, "page?after=earliest");
    for (const number of [2, 3]) await publish("page", number);
    await source.has(3);
    await proxy.stop();
    for (const number of [4, 5]) await publish("page", number);
    await source.failed(2); // the cut, and a try in vain
    await proxy.start();
    await source.has(5);
    await publish("page", 6);
    await source.has(6);
    expect(await source.events()).toEqual(numbers(1, 6));
  });

  test("comes back when the server has restarted, and is told that it began anew", async () => {
    const flags = ["--metrics", "simulated", "--metrics-interval", "50"];
    let behind = await startProcess(flags);
    onTestFinished(async () => {
      await behind.kill("SIGKILL");
    });
    const proxy = await startedNginx(behind.port);
    const source = await openSource(proxy, "system-metrics");
    await source.has(3);
    await behind.kill("SIGKILL");
    await source.failed(2);
    behind = await startProcess([...flags, "--port", `${behind.port}`]);
    await until(async () => (await source.gaps()).length === 1);
    expect(await source.gaps()).toEqual([{ missed: null, reason: "epoch" }]);
    const before = (await source.events()).length;
    await source.has(before + 3);
  });

  test("anybody else is told that the server is away", async () => {
    const proxy = await startedNginx(1); // a port nobody listens on
    expect((await ask(`${proxy.url}/topics`)).status).toBe(502);
    const { status } = await refusedHandshake(`${proxy.url.replace("http", "ws")}/api`);
    expect(status).toBe(502);
  });

  async function openSource(proxy: Nginx, path: string) {
    const { page } = await openPage(browser, `${proxy.url}/topics`);
    await page.evaluate((url) => {
      const seen = { events: [] as unknown[], gaps: [] as unknown[], failures: 0 };
      Object.assign(globalThis, { seen });
      const source = new EventSource(url);
      source.onmessage = ({ data }) => seen.events.push(JSON.parse(data as string));
      source.addEventListener("gap", ({ data }) => seen.gaps.push(JSON.parse(data as string)));
      source.onerror = () => (seen.failures += 1);
    }, `/topics/${path}`);
    const seen = () =>
      page.evaluate(
        () =>
          (
            globalThis as unknown as {
              seen: { events: unknown[]; gaps: unknown[]; failures: number };
            }
          ).seen,
      );
    return {
      events: async () => (await seen()).events,
      gaps: async () => (await seen()).gaps,
      has: (count: number) => until(async () => (await seen()).events.length >= count),
      failed: (times: number) => until(async () => (await seen()).failures >= times),
    };
  }
});

test("a stream that has been silent for longer than a minute still delivers", async () => {
  await sleep(SILENCE_MS - (performance.now() - silent.since)); // the silence is the test
  await publish("silence", "after");
  const events = await Promise.all(silent.clients.map((client) => client.next()));
  expect(events.map(({ data }) => data)).toEqual(streams.map(() => "after"));
}, 90_000);

function offsetOf(cursor: string): number {
  return Number(cursor.split(".")[1]);
}

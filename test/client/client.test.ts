import { describe, expect, expectTypeOf, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { connect, type ConnectOptions } from "../../client/client.ts";
import type { SubscribedEvent, Subscription } from "../../client/subscription.ts";
import type { SystemMetrics } from "../../server/contract.ts";
import { startedLocal } from "../support/server.ts";
import { ManualTime } from "./manual-time.ts";

interface Topics {
  "system-metrics": SystemMetrics;
  chat: { readonly text: string };
}

function clientOf<T extends object = Record<string, unknown>>(
  url: string | URL,
  options: ConnectOptions = {},
) {
  const client = connect<T>(url, { WebSocket, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** Takes nothing to the network; keeps what was asked. */
function asked() {
  const requests: { url: string; headers: Headers }[] = [];
  const fetch = (input: URL | RequestInfo, init?: RequestInit) => {
    requests.push({
      url: input instanceof Request ? input.url : input.toString(),
      headers: new Headers(init?.headers),
    });
    return Promise.reject(new TypeError("fetch failed"));
  };
  return { requests, fetch: fetch as typeof globalThis.fetch };
}

const read = async (subscription: Subscription) => {
  for await (const _ of subscription);
};

describe("connect", () => {
  it("gives each topic the type of its events", () => {
    const client = clientOf<Topics>("http://127.0.0.1:1");
    expectTypeOf(client.subscribe("system-metrics")).toEqualTypeOf<Subscription<SystemMetrics>>();
    expectTypeOf(client.subscribe("chat").events()).toEqualTypeOf<
      AsyncGenerator<SubscribedEvent<{ readonly text: string }>, void>
    >();
    const typed = () =>
      client.subscribe("chat", {
        onEvent: ({ data }) => {
          expectTypeOf(data.text).toBeString();
          // @ts-expect-error: a message has no such field
          void data.cpuUsage;
        },
        onBatch: ({ events }) => expectTypeOf(events[0]!.data.text).toBeString(),
      });
    expectTypeOf(typed).returns.toEqualTypeOf<Subscription<{ readonly text: string }>>();
    const refused = () => [
      // @ts-expect-error: there is no such topic
      client.subscribe("caht"),
      // @ts-expect-error: its events are others
      client.subscribe("chat", { onEvent: (event: SubscribedEvent<number>) => event.data }),
    ];
    expectTypeOf(refused).toBeFunction();
    const untyped = clientOf("http://127.0.0.1:1");
    expectTypeOf(untyped.subscribe("anything")).toEqualTypeOf<Subscription<unknown>>();
    expectTypeOf(untyped.subscribe<number>("counts")).toEqualTypeOf<Subscription<number>>();
  });

  it("opens nothing before it is used", () => {
    const time = new ManualTime();
    const client = clientOf("http://127.0.0.1:1", time.clock());
    client.subscribe("topic");
    expect(client.connection.status.state).toBe("disconnected");
    expect(time.waiting + time.sleeping).toBe(0);
  });

  it.each([
    ["http://host:8000", "http://host:8000/topics/a%20b%2Fc?last=2"],
    ["http://host:8000/push", "http://host:8000/push/topics/a%20b%2Fc?last=2"],
    ["https://host/push/", "https://host/push/topics/a%20b%2Fc?last=2"],
    [new URL("https://host/push?x=1#y"), "https://host/push/topics/a%20b%2Fc?last=2"],
  ])("finds its server behind a proxy's path: %s", async (url, expected) => {
    const { requests, fetch } = asked();
    const client = clientOf(url, { fetch, transports: ["sse"] });
    void read(client.subscribe("a b/c", { last: 2 }));
    await expect.poll(() => requests[0]?.url).toBe(expected);
  });

  it("takes no cursor, as a page's storage gives it at first, for none", async () => {
    const { requests, fetch } = asked();
    const client = clientOf("http://host", { fetch, transports: ["sse"] });
    void read(client.subscribe("topic", { after: null }));
    await expect.poll(() => requests[0]?.url).toBe("http://host/topics/topic");
  });

  it("sends the headers it was given, asked for anew each time, and goes where they can go", async () => {
    const time = new ManualTime();
    const { requests, fetch } = asked();
    let token = 0;
    const headers = () => Promise.resolve({ Authorization: `Bearer ${(token += 1)}` });
    const client = clientOf("http://127.0.0.1:1", { fetch, headers, ...time.clock() });
    void read(client.subscribe("topic"));
    await expect.poll(() => requests.length).toBe(1);
    await expect.poll(() => time.nextInMs).toBe(250);
    time.advance(250);
    await expect.poll(() => requests.length).toBe(2);
    expect(requests.map((one) => one.headers.get("Authorization"))).toEqual([
      "Bearer 1",
      "Bearer 2",
    ]);
    expect(requests[0]!.headers.get("Accept")).toBe("text/event-stream");
  });

  it.each([
    ["an unknown transport", "http://h", { transports: ["pigeon"] }, "Unknown transport: pigeon"],
    ["no transport", "http://h", { transports: [] }, "at least one transport"],
    ["no URL", "nonsense", {}, "Invalid URL"],
    ["a URL of something else", "file:///etc", {}, "file:///etc"],
  ])("refuses %s", (_, url, options, message) => {
    const make = () => connect(url, options as ConnectOptions);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  });
});

describe("a client of a server", () => {
  it.each([undefined, ["websocket"], ["sse"], ["ndjson"], ["long-poll"], ["rpc-poll"]] as const)(
    "reads over its transports and calls beside them: %j",
    async (transports) => {
      const server = await startedLocal();
      const client = clientOf<{ topic: number }>(server.url, { transports });
      const events = client.subscribe("topic", { after: "earliest" }).events();
      await server.hub.publish("topic", 7);
      const { value } = await events.next();
      expect(value).toMatchObject({ offset: 1, data: 7 });
      expect(await client.api.topics()).toMatchObject([{ topic: "topic" }]);
      client.close();
      expect((await events.next()).done).toBe(true);
      await expect.poll(() => server.hub.stats()).toMatchObject({ subscriptions: 0, readers: 0 });
    },
  );

  it("begins its later subscriptions with what has worked", async () => {
    const server = await startedLocal();
    const Refusing = class extends WebSocket {
      constructor() {
        super("ws://127.0.0.1:1");
      }
    } as unknown as typeof WebSocket;
    const client = clientOf(server.url, { WebSocket: Refusing, random: () => 0 });
    const first = client.subscribe("topic", { onBatch: () => {}, onEnd: () => {} });
    await expect.poll(() => first.status.transport).toBe("sse");
    const second = client.subscribe("topic", { onBatch: () => {}, onEnd: () => {} });
    const told: string[] = [];
    second.onStatus(({ message }) => told.push(message));
    await expect.poll(() => second.status.transport).toBe("sse");
    expect(told).toEqual(["Reading over sse"]);
  });

  it("stops with the reason where nothing can help", async () => {
    const server = await startedLocal();
    const client = clientOf(server.url);
    await expect(read(client.subscribe("no-such-topic"))).rejects.toMatchObject({
      code: "topic_not_found",
    });
    const reason = new Promise((onEnd) => client.subscribe("no-such-topic", { onEnd }));
    expect(await reason).toMatchObject({ code: "topic_not_found" });
  });
});

describe("close", () => {
  it("ends everything, refuses what comes after, and may be called twice", async () => {
    const server = await startedLocal();
    const client = clientOf(server.url);
    const ended: unknown[] = [];
    const listening = client.subscribe("topic", { onEnd: (reason) => ended.push(reason) });
    await expect.poll(() => listening.status.state).toBe("connected");
    const end = read(client.subscribe("topic"));
    client.close();
    client[Symbol.dispose]();
    await end;
    await expect.poll(() => ended).toEqual([undefined]);
    expect(listening.status.state).toBe("disconnected");
    expect(() => client.subscribe("topic")).toThrow("The client is closed");
    await expect(client.api.topics()).rejects.toMatchObject({ code: "closed" });
    await expect.poll(() => server.hub.stats()).toMatchObject({ subscriptions: 0, readers: 0 });
  });

  it("counts before anything was opened too", async () => {
    const client = clientOf("http://127.0.0.1:1");
    client.close();
    await expect(client.api.topics()).rejects.toMatchObject({ code: "closed" });
  });

  it("is not needed by a subscription whose signal was aborted before", async () => {
    const client = clientOf("http://127.0.0.1:1");
    const subscription = client.subscribe("topic", { signal: AbortSignal.abort() });
    await read(subscription);
    expect(subscription.status.state).toBe("disconnected");
  });
});

/** The feed in Node, over real sockets that are cut, against the real server. */
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { connect } from "../../client/index.ts";
import { METRICS_TOPIC } from "../../server/contract.ts";
import { MetricsFeed, type Updates } from "../../static/serverpush/metrics-feed.ts";
import { batch } from "../support/rpc.ts";
import { type LocalServer, type LocalServerOptions, startedLocal } from "../support/server.ts";
import { startedFaultProxy } from "../support/fault-proxy.ts";

const POLL = { timeout: 10_000, interval: 10 };

async function startFeed(options: LocalServerOptions = {}) {
  const server = await startedLocal({ topics: [METRICS_TOPIC], ...options });
  const proxy = await startedFaultProxy(Number(new URL(server.url).port));
  const times = { random: () => 0 };
  const client = connect(proxy.url, { WebSocket, ...times });
  onTestFinished(() => client.close());
  const updates: Updates[] = [];
  const ids: (string | undefined)[] = [];
  const troubles: (string | undefined)[] = [];
  const feed = new MetricsFeed(
    client.api,
    {
      onUpdates: (update) => updates.push(update),
      onSubscription: (id) => ids.push(id),
      onTrouble: (message) => troubles.push(message),
    },
    times,
  );
  onTestFinished(() => feed.unsubscribe());
  return {
    server,
    proxy,
    client,
    feed,
    ids,
    troubles,
    /** What has arrived, by the number that `publish` gave it. */
    received: () => updates.flatMap(({ samples }) => samples.map(({ cpuUsage }) => cpuUsage)),
    missed: () => updates.map(({ missed }) => missed).filter((missed) => missed !== 0),
  };
}

async function publish(server: LocalServer, from: number, to: number): Promise<void> {
  for (let cpuUsage = from; cpuUsage <= to; cpuUsage += 1) {
    await server.hub.publish(METRICS_TOPIC, {
      cpuUsage,
      memoryUsage: 50,
      networkIO: 1,
      timestamp: 1_700_000_000 + cpuUsage,
    });
  }
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("MetricsFeed", () => {
  it("brings the history first and then what comes, each once and in order", async () => {
    const { server, feed, received } = await startFeed();
    await publish(server, 1, 300);
    feed.subscribe();
    await expect.poll(received, POLL).toEqual(numbers(1, 300));
    await publish(server, 301, 320);
    await expect.poll(received, POLL).toEqual(numbers(1, 320));
  });

  it("loses and repeats nothing when connections are cut, and keeps its subscription", async () => {
    const { server, proxy, feed, ids, received, missed } = await startFeed();
    feed.subscribe();
    for (let round = 0; round < 5; round += 1) {
      await publish(server, round * 20 + 1, round * 20 + 10);
      await expect.poll(() => received().length, POLL).toBeGreaterThanOrEqual(round * 20 + 1);
      proxy.cut(); // also while answers are on their way
      await publish(server, round * 20 + 11, round * 20 + 20);
    }
    await expect.poll(received, POLL).toEqual(numbers(1, 100));
    expect(ids).toHaveLength(1);
    expect(missed()).toEqual([]);
  });

  it("does not repeat what it has caught up on while its subscription held it too", async () => {
    const { server, proxy, feed, received } = await startFeed();
    feed.subscribe();
    await publish(server, 1, 5);
    await expect.poll(received, POLL).toEqual(numbers(1, 5));
    await expect.poll(() => server.hub.stats(), POLL).toMatchObject({ heldPolls: 1 });
    proxy.cut();
    await expect.poll(() => server.hub.stats(), POLL).toMatchObject({ heldPolls: 0 });
    await publish(server, 6, 10); // no poll is there to take them
    await expect.poll(received, POLL).toEqual(numbers(1, 10));
    await publish(server, 11, 12);
    await expect.poll(received, POLL).toEqual(numbers(1, 12));
  });

  it("subscribes anew when the server no longer knows the subscription, without a hole", async () => {
    const { server, feed, ids, received, missed } = await startFeed();
    feed.subscribe();
    await expect.poll(() => ids.length, POLL).toBe(1);
    await publish(server, 1, 5);
    await expect.poll(received, POLL).toEqual(numbers(1, 5));
    await batch(server.url).unsubscribe(ids[0]!);
    await publish(server, 6, 10);
    await expect.poll(received, POLL).toEqual(numbers(1, 10));
    expect(ids).toEqual([ids[0], undefined, ids[2]]);
    expect(ids[2]).not.toBe(ids[0]);
    expect(missed()).toEqual([]);
  });

  it("says how many updates are gone for good", async () => {
    const { server, feed, ids, received, missed } = await startFeed({
      store: { historyEvents: 5 },
    });
    feed.subscribe();
    await publish(server, 1, 1);
    await expect.poll(received, POLL).toEqual([1]);
    feed.unsubscribe();
    await publish(server, 2, 20);
    feed.subscribe();
    await expect.poll(received, POLL).toEqual([1, ...numbers(16, 20)]);
    expect(missed()).toEqual([14]);
    expect(ids).toHaveLength(3);
  });

  it("brings nothing after unsubscribe, and ends the subscription on the server", async () => {
    const { server, feed, ids, received } = await startFeed();
    feed.subscribe();
    await publish(server, 1, 3);
    await expect.poll(received, POLL).toEqual([1, 2, 3]);
    feed.unsubscribe();
    expect(feed.wanted).toBe(false);
    expect(ids.at(-1)).toBeUndefined();
    await publish(server, 4, 6);
    await expect.poll(() => server.hub.stats(), POLL).toMatchObject({ subscriptions: 0 });
    expect(received()).toEqual([1, 2, 3]);
  });

  it("ends a subscription whose id arrives after unsubscribe", async () => {
    const { server, client, feed, ids } = await startFeed();
    await client.connection.ready();
    feed.subscribe();
    await Promise.resolve(); // the call is on its way
    feed.unsubscribe();
    await client.api.topics(); // answered after it
    await expect.poll(() => server.hub.stats(), POLL).toMatchObject({ subscriptions: 0 });
    expect(ids).toEqual([]);
  });

  it("tells of a server that refuses, and goes on when it no longer does", async () => {
    const { server, feed, troubles, received } = await startFeed({ limits: { subscriptions: 1 } });
    const { subscriptionId } = await batch(server.url).subscribeSystemMetrics();
    feed.subscribe();
    await expect.poll(() => troubles.at(-1), POLL).toContain("subscriptions");
    await batch(server.url).unsubscribe(subscriptionId);
    await publish(server, 1, 1);
    await expect.poll(received, POLL).toEqual([1]);
    await expect.poll(() => troubles.at(-1), POLL).toBeUndefined();
  });
});

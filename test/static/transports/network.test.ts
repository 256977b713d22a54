import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { connect } from "../../../client/index.ts";
import { Network } from "../../../static/transports/network.ts";
import { startedLocal } from "../../support/server.ts";

const topicOf = (url: string) => `${url}/topics/topic`;

/** A socket over it, and what is heard of that. */
function socketOver(network: Network, url: string) {
  const socket = new network.WebSocket(topicOf(url).replace("http", "ws"));
  const heard: string[] = [];
  for (const type of ["open", "message", "close"] as const) {
    socket.addEventListener(type, ({ data, code }) => {
      heard.push([type, data as string, code].filter((part) => part !== undefined).join(" "));
    });
  }
  return { socket, heard };
}

/** Whatever could happen by now has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a request over a network", () => {
  it("is counted, and so is every byte of the answer's body", async () => {
    const { url } = await startedLocal();
    const network = new Network();
    const response = await network.fetch(topicOf(url));
    expect(response.headers.get("Content-Type")).toContain("application/json");
    const body = await response.text();
    expect(network).toMatchObject({ requests: 1, bytes: Buffer.byteLength(body) });
    expect(await network.fetch(topicOf(url)).then(({ status }) => status)).toBe(200);
    expect(network.requests).toBe(2);
  });

  it("breaks with a cut, also in the middle of its answer", async () => {
    const { url } = await startedLocal();
    const network = new Network();
    const headers = { Accept: "text/event-stream" };
    const reader = (await network.fetch(topicOf(url), { headers })).body!.getReader();
    expect((await reader.read()).done).toBe(false);
    const held = network.fetch(`${topicOf(url)}?wait=30`);
    await expect.poll(() => network.requests).toBe(2);
    network.cut();
    await expect(reader.read()).rejects.toThrow("You have cut it");
    await expect(held).rejects.toThrow("You have cut it");
  });

  it("waits for the network to be mended before it is sent", async () => {
    const { url } = await startedLocal();
    const network = new Network();
    network.cut();
    network.cut();
    const answer = network.fetch(topicOf(url));
    await settled();
    expect(network.requests).toBe(0);
    network.mend();
    network.mend();
    expect((await answer).status).toBe(200);
    expect(network.requests).toBe(1);
  });

  it("can be given up while it waits, and while it is answered", async () => {
    const { url } = await startedLocal();
    const network = new Network();
    const leaving = new AbortController();
    const reason = new Error("left");
    const headers = { Accept: "text/event-stream" };
    const { body } = await network.fetch(topicOf(url), { headers, signal: leaving.signal });
    network.cut();
    network.mend();
    network.cut();
    const waiting = network.fetch(topicOf(url), { signal: leaving.signal });
    leaving.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(body!.getReader().read()).rejects.toThrow(); // broken by the cut before
    expect(network.requests).toBe(1);
  });
});

describe("a socket over a network", () => {
  it("is counted, and so is every byte of its messages", async () => {
    const { url, hub } = await startedLocal();
    const network = new Network({ WebSocket });
    const { socket, heard } = socketOver(network, url);
    await expect.poll(() => heard.length).toBe(2); // it opens with a first batch, an empty one
    await hub.publish("topic", "é");
    await expect.poll(() => heard.length).toBe(3);
    expect(heard[0]).toBe("open");
    const bytes = heard.slice(1).map((line) => Buffer.byteLength(line) - "message ".length);
    expect(network).toMatchObject({ requests: 1, bytes: bytes[0]! + bytes[1]! });
    socket.close(1000);
    await expect.poll(() => heard.at(-1)).toBe("close 1000");
  });

  it("ends with a cut, without a word and once", async () => {
    const { url, hub } = await startedLocal();
    const network = new Network({ WebSocket });
    const { heard } = socketOver(network, url);
    await expect.poll(() => heard.length).toBe(2);
    network.cut();
    expect(heard.slice(2)).toEqual(["close"]);
    await expect.poll(() => hub.stats()).toMatchObject({ subscriptions: 0 });
    await hub.publish("topic", 1);
    network.mend();
    await settled();
    expect(heard.slice(2)).toEqual(["close"]);
  });

  it("opens when the network is mended, unless it was closed before", async () => {
    const { url } = await startedLocal();
    const network = new Network({ WebSocket });
    network.cut();
    const patient = socketOver(network, url);
    const hasty = socketOver(network, url);
    hasty.socket.close(1000);
    await settled();
    expect([...patient.heard, network.requests]).toEqual([0]);
    network.mend();
    await expect.poll(() => patient.heard[0]).toBe("open");
    expect(hasty.heard).toEqual(["close"]);
    expect(network.requests).toBe(1);
  });
});

it.each(["rpc-tail", "websocket", "sse", "long-poll", "rpc-poll"] as const)(
  "a client over %s does not know that its network is one of these",
  async (transport) => {
    const { url, hub } = await startedLocal();
    const network = new Network({ WebSocket });
    const { fetch } = network;
    const options = { fetch, WebSocket: network.WebSocket, random: () => 0 };
    using client = connect(url, { ...options, transports: [transport] });
    const offsets: number[] = [];
    client.subscribe("topic", { after: "earliest", onEvent: ({ offset }) => offsets.push(offset) });
    await hub.publish("topic", 1);
    await expect.poll(() => offsets).toEqual([1]);
    network.cut();
    await hub.publish("topic", 2);
    await settled();
    expect(offsets).toEqual([1]);
    network.mend();
    await hub.publish("topic", 3);
    await expect.poll(() => offsets).toEqual([1, 2, 3]);
    expect(network.requests).toBeGreaterThanOrEqual(2);
  },
);

/** The chat: who gets what in which order, what is refused, and how it ends. */
import { describe, expect, test } from "vitest";
import { refusedHandshake } from "../../support/frames.ts";
import { until } from "../../support/until.ts";
import { ask } from "../../support/wire.ts";
import { ACK, openChat } from "./open-chat.ts";
import { startedDemos } from "./started-demos.ts";

const MAX_BYTES = 512 * 1024;

describe("a message", () => {
  test("goes to everybody word for word, and its sender is told first that it was taken", async () => {
    const { url } = await startedDemos();
    const [ann, bob] = [await openChat(url), await openChat(url)];
    const text = '{"type": "message",\t"text":"Hello!"}';
    ann.say(text);
    expect(await ann.first(2)).toEqual([ACK, text]);
    expect(await bob.first(1)).toEqual([text]);
  });

  test.each(["", "not JSON", "null", '"', "\u2028\r\n\0", "päivää 👋", '{"type":"ack"}'])(
    "may be any text: %j",
    async (text) => {
      const { url } = await startedDemos();
      const [ann, bob] = [await openChat(url), await openChat(url)];
      ann.say(text);
      expect(await bob.first(1)).toEqual([text]);
      expect(await ann.first(2)).toEqual([ACK, text]);
    },
  );

  test("comes once and in one order for all, whoever speaks when", async () => {
    const { url } = await startedDemos();
    const visitors = await Promise.all(Array.from({ length: 8 }, () => openChat(url)));
    const expected = visitors.flatMap((visitor, who) => {
      const texts = Array.from({ length: 100 }, (_, number) => `${who}: ${number}`);
      visitor.say(...texts);
      return texts;
    });
    for (const visitor of visitors) {
      await visitor.first(900);
      expect(visitor.acks()).toBe(100);
      expect(visitor.messages()).toEqual(visitors[0]!.messages());
    }
    const heard = visitors[0]!.messages();
    expect([...heard].sort()).toEqual([...expected].sort());
    const ofOne = heard.filter((text) => text.startsWith("3:"));
    expect(ofOne).toEqual(expected.filter((text) => text.startsWith("3:")));
  });

  test("is acknowledged before it comes back, also over a store that takes its time", async () => {
    const { url } = await startedDemos({ slowStores: true });
    const [ann, bob] = [await openChat(url), await openChat(url)];
    const texts = Array.from({ length: 50 }, (_, number) => `${number}`);
    ann.say(...texts);
    const frames = await ann.first(100);
    expect(ann.messages()).toEqual(texts);
    texts.forEach((text, index) => {
      const before = frames.slice(0, frames.indexOf(text));
      expect(before.filter((frame) => frame === ACK).length).toBeGreaterThan(index);
    });
    expect(await bob.first(50)).toEqual(texts);
  });

  test("that was said before a client joined does not come", async () => {
    const { url } = await startedDemos();
    const ann = await openChat(url);
    ann.say("early");
    await ann.first(2);
    const bob = await openChat(url);
    ann.say("late");
    expect(await bob.first(1)).toEqual(["late"]);
  });

  test("may come from anywhere in the program", async () => {
    const { url, chatHub } = await startedDemos();
    const ann = await openChat(url);
    await chatHub.publish("chat", '{"type":"update","data":"live score changed"}');
    expect(await ann.first(1)).toEqual(['{"type":"update","data":"live score changed"}']);
  });
});

describe("the size of a message", () => {
  test.each([
    ["ASCII", "x".repeat(MAX_BYTES - 1)],
    ["ASCII", "x".repeat(MAX_BYTES)],
    ["two bytes a character", "é".repeat(MAX_BYTES / 2)],
    ["what JSON writes with six", "\0".repeat(MAX_BYTES)],
  ])("may be 512 KiB: %s", async (_what, text) => {
    const { url, errors } = await startedDemos();
    const [ann, bob] = [await openChat(url), await openChat(url)];
    ann.say(text);
    const [heard] = await bob.first(1);
    expect(heard === text).toBe(true); // not toBe(): nobody wants to see the difference
    expect(await ann.first(1)).toEqual([ACK]);
    expect(errors).toEqual([]);
  });

  test.each([
    ["one byte more", "x".repeat(MAX_BYTES + 1)],
    ["fewer characters, but more bytes", "é".repeat(MAX_BYTES / 2 + 1)],
    ["more than the server takes at all", "x".repeat(1024 * 1024 + 1)],
  ])("may not be more: %s closes with 1009, and nobody hears it", async (_what, text) => {
    const { url, chatHub } = await startedDemos();
    const [ann, bob] = [await openChat(url), await openChat(url)];
    ann.say("before");
    await bob.first(1);
    ann.say(text, "after");
    const { code, reason } = await ann.closed;
    expect(code).toBe(1009);
    if (text.length <= 1024 * 1024) {
      expect(JSON.parse(reason)).toEqual({
        code: "too_large",
        message: `Expected a message of at most ${MAX_BYTES} bytes, got ${Buffer.byteLength(text)}`,
      });
    }
    bob.say("still here");
    expect(await bob.first(3)).toEqual(["before", ACK, "still here"]);
    expect(chatHub.stats().readers).toBe(1);
  });
});

test("a binary message closes with 1003", async () => {
  const { url } = await startedDemos();
  const ann = await openChat(url);
  ann.socket.send(Buffer.from("hello"));
  const { code, reason } = await ann.closed;
  expect(code).toBe(1003);
  expect(JSON.parse(reason)).toMatchObject({ code: "unsupported_data" });
});

describe("the door", () => {
  test("lets in as many as there may be; one more gets 503 before the handshake", async () => {
    const { url, chatHub } = await startedDemos({ chatLimits: { readers: 3 } });
    const address = `${url.replace("http", "ws")}/ws/chat`;
    const visitors = [await openChat(url), await openChat(url), await openChat(url)];
    const { status, headers } = await refusedHandshake(address);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("5");
    visitors[0]!.socket.close();
    await until(() => chatHub.stats().readers === 2);
    await openChat(url);
  });

  test("is closed to pages of a foreign origin", async () => {
    const { url } = await startedDemos();
    const address = `${url.replace("http", "ws")}/ws/chat`;
    const { status } = await refusedHandshake(address, { origin: "https://evil.example" });
    expect(status).toBe(403);
    await openChat(url, { origin: url });
  });

  test("says what it expects of a plain request", async () => {
    const { url } = await startedDemos();
    const { status, headers } = await ask(`${url}/ws/chat`);
    expect(status).toBe(426);
    expect(headers.upgrade).toBe("websocket");
    expect((await ask(`${url}/ws/chat`, { method: "POST" })).status).toBe(405);
  });
});

describe("at the end", () => {
  test("nothing is left of those who have gone, however they went", async () => {
    const { url, chatHub, errors } = await startedDemos();
    const visitors = await Promise.all(Array.from({ length: 12 }, () => openChat(url)));
    expect(chatHub.stats().readers).toBe(12);
    visitors.forEach(({ socket, say }, index) => {
      say("bye");
      if (index % 2 === 0) socket.terminate();
      else socket.close();
    });
    await until(() => chatHub.stats().readers === 0);
    expect(errors).toEqual([]);
  });

  test("each is told that the server stops, and when to come back", async () => {
    const { url, app, errors } = await startedDemos();
    const visitors = [await openChat(url), await openChat(url)];
    await app.close({ graceMs: 1_000, random: () => 0.75 });
    for (const { closed } of visitors) {
      const { code, reason } = await closed;
      expect(code).toBe(1012);
      expect(JSON.parse(reason)).toEqual({
        code: "shutting_down",
        message: "the server is stopping",
        retryAfterMs: 750,
      });
    }
    expect(errors).toEqual([]);
  });

  test("whoever does not answer a ping is dropped, and pings come at their interval", async () => {
    const { url, chatHub } = await startedDemos({ chatLimits: { pingMs: 40, pongMs: 60 } });
    const began = performance.now();
    const [alive, dead] = [await openChat(url), await openChat(url, { autoPong: false })];
    let pings = 0;
    alive.socket.on("ping", () => (pings += 1));
    expect((await dead.closed).code).toBe(1006);
    await until(() => pings >= 4);
    expect(performance.now() - began).toBeGreaterThan(pings * 40 - 5);
    expect(chatHub.stats().readers).toBe(1);
  });

  test("the ping is every 54 s", async () => {
    const { chatHub } = await startedDemos();
    expect(chatHub.limits.pingMs).toBe(54_000);
  });
});

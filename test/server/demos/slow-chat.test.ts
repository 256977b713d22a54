/** Clients of the chat that do not keep up: 256 messages wait for one, then it goes, alone. */
import { execFileSync } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { CHAT_LIMITS, CHAT_LOG, Chat } from "../../../server/demos/chat.ts";
import { Hub } from "../../../server/hub.ts";
import { MemoryStore } from "../../../server/store/memory-store.ts";
import { startedProcess } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { ACK, openChat } from "./open-chat.ts";
import { startedDemos } from "./started-demos.ts";
import { StalledSocket } from "./stalled-socket.ts";

/** A chat with one client that does not read. */
async function stalledChat() {
  const hub = new Hub(new MemoryStore(CHAT_LOG), { limits: CHAT_LIMITS });
  onTestFinished(() => hub.close());
  const chat = new Chat(hub);
  const socket = new StalledSocket();
  onTestFinished(() => socket.leave());
  void chat.join(socket.asWebSocket, await chat.admit());
  await settled();
  return { hub, chat, socket };
}

/** Whatever can go on without the client has gone on. */
async function settled(): Promise<void> {
  for (let count = 0; count < 20; count += 1) await turn();
}

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);
}

async function publish(hub: Hub, texts: readonly string[], perTurn = 1): Promise<void> {
  for (const [index, text] of texts.entries()) {
    await hub.publish("chat", text);
    if (index % perTurn === 0) await turn();
  }
  await settled();
}

describe("of the messages that wait for one client", () => {
  test.each([
    [255, 1],
    [256, 1],
    [256, 50],
  ])("%i are kept, and come in order when it reads (%i at a time)", async (count, perTurn) => {
    const { hub, socket } = await stalledChat();
    await publish(hub, numbered(1, count), perTurn);
    expect(socket.ending).toBeUndefined();
    expect(socket.sent.length).toBeLessThanOrEqual(128); // the others wait in the log
    await until(() => {
      socket.flush();
      return socket.sent.length >= count;
    });
    expect(socket.sent).toEqual(numbered(1, count));
  });

  test.each([1, 50, 257])("the 257th is one too many (%i at a time)", async (perTurn) => {
    const { hub, chat, socket } = await stalledChat();
    await publish(hub, ["the one in the socket"]);
    await publish(hub, numbered(1, 256), perTurn);
    expect(socket.ending?.code).toBe(1013);
    expect(JSON.parse(socket.ending!.reason)).toEqual({
      code: "limit_exceeded",
      message: "Expected at most 256 messages to wait: read faster",
    });
    expect(chat.size).toBe(0);
  });

  test("those count that are still there: one that reads in time stays", async () => {
    const { hub, socket } = await stalledChat();
    for (let from = 1; from < 2_000; from += 200) {
      await publish(hub, numbered(from, from + 199), 7);
      await until(() => {
        socket.flush();
        return socket.sent.length === from + 199;
      });
    }
    expect(socket.sent).toEqual(numbered(1, 2_000));
    expect(socket.ending).toBeUndefined();
  });

  test("fewer are kept when they are large, and none is left out in silence", async () => {
    const { hub, socket } = await stalledChat();
    const large = (number: number) => `${number}${"x".repeat(512 * 1024 - 10)}`;
    await publish(hub, ["in the socket"]);
    await publish(
      hub,
      Array.from({ length: 65 }, (_, index) => large(index)),
    ); // 32 MiB keep 64
    socket.flush();
    await settled();
    expect(socket.sent).toEqual(["in the socket"]);
    expect(socket.ending?.code).toBe(1013);
  });
});

test("a client that reads misses nothing, however much is published in one turn", async () => {
  const { chatHub, url } = await startedDemos();
  const ann = await openChat(url);
  for (const text of numbered(1, 1_000)) await chatHub.publish("chat", text);
  expect(await ann.first(1_000)).toEqual(numbered(1, 1_000));
});

test("whoever speaks and does not read is not listened to: nothing piles up", async () => {
  const { hub, socket } = await stalledChat();
  socket.say("1");
  expect(socket.isPaused).toBe(true);
  for (let count = 2; count <= 300; count += 1) socket.say(`${count}`); // the rest of a chunk
  await settled();
  expect(hub.stats().published).toBe(1);
  expect(socket.sent).toEqual([ACK, "1"]);
  await until(() => {
    socket.flush();
    return hub.stats().published === 300;
  });
  await until(() => {
    socket.flush();
    return !socket.isPaused && socket.sent.length === 600;
  });
  expect(socket.sent.filter((text) => text === ACK)).toHaveLength(300);
});

test("whoever was told to leave is not heard any more", async () => {
  const { hub, socket } = await stalledChat();
  for (const text of numbered(1, 100)) socket.say(text);
  await publish(hub, numbered(1, 300));
  expect(socket.ending?.code).toBe(1013);
  socket.leave();
  await settled();
  expect(hub.stats().published).toBe(301);
});

test("whoever says something and leaves is heard", async () => {
  const { url } = await startedDemos();
  const [ann, bob] = [await openChat(url), await openChat(url)];
  ann.say(...numbered(1, 2_000)); // far more than one turn takes
  ann.socket.close();
  expect(await bob.first(2_000)).toEqual(numbered(1, 2_000));
});

test("a flood from one client pushes nobody out: it is taken as fast as the others read", async () => {
  const { url, errors } = await startedDemos();
  const visitors = await Promise.all(Array.from({ length: 20 }, () => openChat(url)));
  const flood = Array.from({ length: 9_000 }, (_, index) => String.fromCharCode(33 + (index % 90)));
  visitors[0]!.say(...flood); // one write, and the server reads it in one piece
  for (const visitor of visitors) {
    await until(() => visitor.messages().length === flood.length);
    expect(visitor.messages()).toEqual(flood);
  }
  expect(errors).toEqual([]);
});

test(
  "frozen clients go, the others have everything, and memory is bounded",
  { timeout: 120_000 },
  async () => {
    const server = await startedProcess();
    const [ann, bob] = [await openChat(server.url), await openChat(server.url)];
    const frozen = await Promise.all(Array.from({ length: 10 }, () => openChat(server.url)));
    const text = "x".repeat(512 * 1024 - 10);
    const say = async (from: number, to: number) => {
      for (let number = from; number <= to; number += 1) {
        ann.say(`${text}${number}`);
        await until(() => ann.frames.length === 2 * number && bob.frames.length === number);
        ann.frames.fill("", 0, -1); // or this process would keep them
        expect(bob.frames.at(-1)!.slice(text.length)).toBe(`${number}`);
        bob.frames.fill("");
      }
    };
    await say(1, 100); // the log is full, and every buffer has been used once
    const before = residentBytes(server.process.pid!);
    for (const { socket } of frozen) socket.pause();
    await say(101, 1_100); // 524 MB
    expect(residentBytes(server.process.pid!) - before).toBeLessThan(300e6);
    for (const { socket, closed } of frozen) {
      socket.resume();
      expect((await closed).code).toBe(1013);
    }
  },
);

function residentBytes(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", `${pid}`])) * 1024;
}

/** "WebSocket & SSE": the chat and the feed, with the two clients of the document in a browser. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ACK, openChat } from "../server/demos/open-chat.ts";
import { launchBrowser, openPage } from "../static/open-page.ts";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { until } from "../support/until.ts";
import { consoleOf } from "./console.ts";
import { run } from "./shell.ts";

// Sending comes after a while: a socket that still connects throws, in every browser.
const CHAT = [
  `const socket = new WebSocket("ws://localhost:8080/ws/chat");

socket.onmessage = (event) => {
    const data = JSON.parse(event.data);
    console.log("received:", data);
};`,
  `socket.send(JSON.stringify({ type: "message", text: "Hello!" }));`,
] as const;

const FEED = `const es = new EventSource("/events/feed");

es.addEventListener("tick", (event) => {
    const data = JSON.parse(event.data);
    console.log("tick:", data.time);
});

es.addEventListener("update", (event) => {
    const data = JSON.parse(event.data);
    console.log("update:", data);
});`;

let server: ServerProcess;
let browser: Browser;

beforeAll(async () => {
  [server, browser] = await Promise.all([startProcess(), launchBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

const HELLO = { type: "message", text: "Hello!" };

/** A console on a page of the server, where the first part of the chat's client has been entered. */
async function chatting({ port }: ServerProcess) {
  const { page } = await openPage(browser, `http://localhost:${port}/`);
  const console = await consoleOf(page);
  await console.enter(CHAT[0].replace("8080", `${port}`));
  await until(() => page.evaluate<boolean>("socket.readyState === 1"));
  return console;
}

describe("the chat's client", () => {
  test("is acknowledged first, and then gets what it has said", async () => {
    const console = await chatting(server);
    await console.enter(CHAT[1]);
    expect(await console.first(2)).toEqual([
      ["received:", { type: "ack" }],
      ["received:", HELLO],
    ]);
  });

  test("gets what the others say, and they get what it says", async () => {
    const [ann, bob] = [await chatting(server), await chatting(server)];
    const eve = await openChat(server.url);
    await ann.enter(CHAT[1]);
    expect(await bob.first(1)).toEqual([["received:", HELLO]]);
    expect(await eve.first(1)).toEqual([JSON.stringify(HELLO)]);
    eve.say('{"type":"update","data":"live score changed"}');
    expect((await bob.first(2))[1]).toEqual([
      "received:",
      { type: "update", data: "live score changed" },
    ]);
    expect((await eve.first(2))[1]).toBe(ACK);
  });
});

describe("the feed's client", () => {
  test("logs a tick each second, in RFC 3339", async () => {
    const { page } = await openPage(browser, `http://localhost:${server.port}/`);
    const console = await consoleOf(page);
    await console.enter(FEED);
    const lines = await console.first(4);
    for (const [what, time] of lines) {
      expect(what).toBe("tick:");
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
    }
    const seconds = lines.map(([, time]) => Date.parse(time as string) / 1000);
    expect(seconds[3]! - seconds[0]!).toBeGreaterThanOrEqual(2);
    expect(seconds[3]! - seconds[0]!).toBeLessThan(10);
  });

  test("counts the clients of the chat", async () => {
    const quiet = await startedProcess();
    const shell = run(`curl -sN http://localhost:${quiet.port}/events/feed`);
    await shell.prints(/^event: tick\ndata: \{"time":"[^"]+","count":0\}\n\n/);
    const [ann] = [await openChat(quiet.url), await openChat(quiet.url)];
    await shell.prints(/"count":2\}/);
    ann.socket.close();
    await shell.prints(/"count":1\}\n\n$/);
  });
});

describe("the features", () => {
  test("slow clients are disconnected, and the others go on", async () => {
    const [ann, bob] = [await openChat(server.url), await openChat(server.url)];
    const slow = await openChat(server.url);
    slow.socket.pause();
    const text = "x".repeat(100_000);
    const total = 400; // 40 MB: what the kernel buffers, and 256 messages
    for (let number = 1; number <= total; number += 1) {
      ann.say(text);
      await until(() => bob.frames.length === number && ann.acks() === number);
    }
    slow.socket.resume();
    const { code, reason } = await slow.closed;
    expect(code).toBe(1013);
    expect(JSON.parse(reason)).toMatchObject({ code: "limit_exceeded" });
    expect(slow.frames.length).toBeLessThan(total);
    ann.say("still here");
    await until(() => bob.frames.at(-1) === "still here");
  });

  test("the origin is checked, and a foreign one can be allowed", async () => {
    // A page of this machine: of others' pages the browser itself keeps all that is local away.
    const pages = createServer((_request, response) => response.end("<p>Hello"));
    onTestFinished(() => void pages.close());
    await once(pages.listen(0, "127.0.0.1"), "listening");
    const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const { page } = await openPage(browser, origin);
    const knock = ({ port }: ServerProcess) =>
      page.evaluate(
        (address) =>
          new Promise<string>((resolve) => {
            const socket = new window.WebSocket(address);
            socket.onopen = () => resolve("open");
            socket.onerror = () => resolve("refused");
          }),
        `ws://localhost:${port}/ws/chat`,
      );
    expect(await knock(server)).toBe("refused");
    expect(await knock(await startedProcess(["--allow-origin", origin]))).toBe("open");
  });
});

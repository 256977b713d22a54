/** The chat as its users have it: the built program, real browsers, real outages. */
import { once } from "node:events";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { encodeMessage, MAX_BYTES } from "../../static/chat/chat-message.ts";
import { type ServerProcess, startedProcess, startProcess } from "../support/server.ts";
import { launchBrowser, openPage } from "./open-page.ts";
import { POLL, reads, tabTo } from "./page-checks.ts";

let browser: Browser;
let server: ServerProcess;

beforeAll(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startProcess()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.kill("SIGKILL");
});

const pageOf = ({ url }: { url: string }) => `${url}/static/chat/`;
const state = (page: Page) => page.locator("#connection-state");
const message = (page: Page) => page.locator("#connection-message");
const texts = (page: Page) => page.locator("#messages p").allInnerTexts();
const field = (page: Page) => page.getByLabel("Message", { exact: true });

async function joined(url: string, name: string) {
  const opened = await openPage(browser, url);
  await join(opened.page, name);
  await reads(state(opened.page), "Connected");
  return opened;
}

async function join(page: Page, name: string): Promise<void> {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join" }).click();
}

async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const shows = (page: Page, ...expected: string[]) =>
  expect.poll(() => texts(page), POLL).toEqual(expected);

/** Another client of the chat, ended with the test. */
async function client({ url }: { url: string }): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws/chat`);
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

/** A page whose chat is answered by this test. Each connection is handed to `serve`. */
async function scripted(serve: Parameters<Page["routeWebSocket"]>[1]): Promise<Page> {
  const { page } = await openPage(browser, "about:blank");
  await page.routeWebSocket("**/ws/chat", serve);
  await page.goto(pageOf(server));
  return page;
}

describe("the chat", () => {
  it("takes each message to everybody, once, and tells its sender that it was delivered", async () => {
    const { page: ada, problems } = await joined(pageOf(server), "Ada");
    const { page: grace, problems: others } = await joined(pageOf(server), "Grace");
    await say(ada, "Good morning");
    await reads(ada.locator(".delivery"), "delivered");
    await shows(grace, "Good morning");
    await reads(grace.locator("#messages b"), "Ada");
    expect(await grace.locator(".delivery").innerText()).toBe("");
    await say(grace, "Hello Ada");
    await shows(ada, "Good morning", "Hello Ada");
    await shows(grace, "Good morning", "Hello Ada");
    expect([...problems, ...others]).toEqual([]);
  });

  it("shows what looks like markup as the text that it is", async () => {
    const { page: ada } = await joined(pageOf(server), "<i>Ada</i>");
    const { page: grace, problems } = await joined(pageOf(server), "Grace");
    const evil = `<img src=x onerror="document.title='hacked'"><script>document.title='hacked'</script>`;
    await say(ada, evil);
    await shows(grace, evil);
    await shows(ada, evil);
    await reads(grace.locator("#messages b"), "<i>Ada</i>");
    for (const page of [ada, grace]) {
      expect(await page.locator("#messages :is(img, script, i)").count()).toBe(0);
      expect(await page.title()).toBe("Chat");
    }
    expect(problems).toEqual([]);
  });

  it("understands other clients, and is not confused by any of them", async () => {
    const { page, problems } = await joined(pageOf(server), "Ada");
    const socket = await client(server);
    const frames = ['{"type":"message","text":"Hello!"}', "{", '{"id":"x","text":"1"}'];
    for (const frame of [...frames, '{"id":"x","text":"2"}', '{"type":"ack"}', "end"]) {
      socket.send(frame);
    }
    await shows(page, "Hello!", "{", "1", "end");
    expect(problems).toEqual([]);
  });

  it("says how many are there", async () => {
    const alone = await startedProcess();
    const { page } = await openPage(browser, pageOf(alone));
    const people = page.locator("#people");
    await reads(people, "Nobody is here");
    await join(page, "Ada");
    await reads(people, "1 person is here");
    const socket = await client(alone);
    await reads(people, "2 people are here");
    socket.close();
    await reads(people, "1 person is here");
    await page.getByRole("button", { name: "Leave" }).click();
    await reads(people, "Nobody is here");
    await join(page, "Ada");
    await reads(people, "1 person is here");
    const { page: other } = await openPage(browser, pageOf(alone));
    await page.close();
    await reads(other.locator("#people"), "Nobody is here");
  });

  it("works by keyboard", async () => {
    const { page } = await openPage(browser, pageOf(server));
    const focused = () => page.evaluate(() => document.activeElement?.id);
    await tabTo(page, "");
    expect(await focused()).toBe("name");
    await page.keyboard.type("Ada");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("text");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await shows(page, "one\ntwo");
    expect(await field(page).inputValue()).toBe("");
    await page.keyboard.press("Enter");
    await page.keyboard.type("three");
    await page.keyboard.press("Enter");
    await shows(page, "one\ntwo", "three");
    await tabTo(page, "Leave");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("name");
    await reads(state(page), "Disconnected");
  });

  it("sends half a megabyte, and not a byte more", async () => {
    const { page } = await openPage(browser, "about:blank");
    await page.addInitScript(() => {
      let number = 1_000_000_000; // ids that all have the same length
      crypto.getRandomValues = <T>(array: T) => (array as Uint32Array).fill((number += 1)) as T;
    });
    await page.goto(pageOf(server));
    await join(page, "Ada");
    await reads(state(page), "Connected");
    const id = Array.from({ length: 4 }, () => "1000000001").join("-");
    const room = MAX_BYTES - encodeMessage({ id, name: "Ada", text: "" }).length;
    const sayLong = async (bytes: number) => {
      await field(page).evaluate((element: HTMLTextAreaElement, length) => {
        element.value = "é".repeat(length / 2) + "x".repeat(length % 2);
      }, bytes);
      await page.getByRole("button", { name: "Send" }).click();
    };
    await sayLong(room + 1);
    await reads(page.locator("#problem"), "Too long: 513 KiB, and 512 KiB is the limit");
    expect(await page.locator("#messages li").count()).toBe(0);
    await sayLong(room);
    await reads(page.locator(".delivery"), "delivered");
    await reads(page.locator("#problem"), "");
    await reads(state(page), "Connected");
  });

  it("keeps the latest two hundred messages of a flood, and stays at the end", async () => {
    const { page } = await joined(pageOf(server), "Ada");
    const socket = await client(server);
    socket.on("message", () => {}); // a client that does not read is let go
    for (let number = 1; number <= 2_000; number += 1) {
      socket.send(JSON.stringify({ id: `f${number}`, name: "Flood", text: `number ${number}` }));
    }
    const last = page.locator("#messages p").last();
    await expect.poll(() => last.innerText(), POLL).toBe("number 2000");
    expect(await page.locator("#messages li").count()).toBe(200);
    await expect(last.boundingBox()).resolves.toBeTruthy();
    const hidden = await page
      .locator("#log")
      .evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);
    expect(hidden).toBeLessThan(2);
    await say(page, "still here");
    await reads(page.locator(".delivery").last(), "delivered");
  });
});

describe("an outage", () => {
  it("of the server loses no message that was written meanwhile, and doubles none", async () => {
    const first = await startedProcess();
    const { page: ada } = await joined(pageOf(first), "Ada");
    const { page: grace } = await joined(pageOf(first), "Grace");
    await say(ada, "before");
    await shows(grace, "before");
    await first.kill("SIGKILL");
    await reads(state(ada), "Reconnecting");
    expect(await message(ada).innerText()).toMatch(/^The (connection was lost|server cannot be)/);
    await reads(ada.locator("#people"), "–");
    await say(ada, "meanwhile");
    await reads(ada.locator(".delivery").last(), "sending…");
    await startedProcess(["--port", String(first.port)]);
    await reads(state(ada), "Connected");
    await reads(ada.locator(".delivery").last(), "delivered");
    await reads(state(grace), "Connected");
    await say(ada, "after");
    await shows(ada, "before", "meanwhile", "after");
    await expect.poll(() => texts(grace), POLL).toContain("after");
    await reads(ada.locator("#people"), "2 people are here");
  });

  it("that is announced is told in words, with the time to come back", async () => {
    const first = await startedProcess();
    const { page } = await joined(pageOf(first), "Ada");
    const told: string[] = [];
    await page.exposeFunction("tell", (text: string) => told.push(text));
    await page.evaluate(() => {
      const line = document.querySelector("#connection-message")!;
      const tell = (globalThis as unknown as { tell: (text: string) => void }).tell;
      new MutationObserver(() => tell(line.textContent)).observe(line, { childList: true });
    });
    await first.kill("SIGTERM");
    await expect.poll(() => told, POLL).toContain("The server is restarting");
  });

  it("lasts as long as the server asks for", async () => {
    const reason = JSON.stringify({ code: "shutting_down", retryAfterMs: 60_000 });
    const page = await scripted((socket) => void socket.close({ code: 1012, reason }));
    await join(page, "Ada");
    await reads(message(page), "The server is restarting");
    const shown = await page.locator("#connection-retry").innerText();
    const seconds = Number(/^\(next attempt in (\d+) s\)$/.exec(shown)?.[1]);
    expect(seconds).toBeGreaterThanOrEqual(59);
    expect(seconds).toBeLessThanOrEqual(62);
  });

  it("of a page that is too slow is told, and over soon", async () => {
    let connections = 0;
    const page = await scripted((socket) => {
      connections += 1;
      if (connections === 1) void socket.close({ code: 1013, reason: "" });
    });
    await join(page, "Ada");
    await reads(message(page), /^This page was too slow/);
    await reads(state(page), "Connected");
    expect(connections).toBe(2);
  });

  it("by a message that the server refuses does not send it again", async () => {
    const frames: string[] = [];
    const page = await scripted((socket) => {
      socket.onMessage((frame) => {
        frames.push(String(frame));
        if (String(frame).includes("too long")) void socket.close({ code: 1009, reason: "" });
        else socket.send('{"type":"ack"}');
      });
    });
    await join(page, "Ada");
    await reads(state(page), "Connected");
    await say(page, "too long");
    await reads(message(page), /^That message was too long/);
    await reads(page.locator(".delivery"), "not delivered: too long");
    await reads(state(page), "Connected");
    await say(page, "short");
    await reads(page.locator(".delivery").last(), "delivered");
    expect(frames.filter((frame) => frame.includes("too long"))).toHaveLength(1);
  });

  it("without a word is noticed by the acknowledgement that does not come", async () => {
    let connections = 0;
    const { page } = await openPage(browser, "about:blank");
    await page.clock.install();
    await page.routeWebSocket("**/ws/chat", (socket) => {
      connections += 1;
      const answers = connections > 1;
      socket.onMessage(() => {
        if (answers) socket.send('{"type":"ack"}');
      });
    });
    await page.goto(pageOf(server));
    await join(page, "Ada");
    await reads(state(page), "Connected");
    await say(page, "hello?");
    await page.clock.fastForward(10_000);
    await reads(message(page), "The server has not acknowledged a message for 10 s");
    await page.clock.fastForward(2_000);
    await reads(state(page), "Connected");
    await reads(page.locator(".delivery"), "delivered");
  });

  it("that the user ends by leaving leaves no message in doubt", async () => {
    const page = await scripted(() => {}); // takes everything, and acknowledges nothing
    await join(page, "Ada");
    await reads(state(page), "Connected");
    await say(page, "hello?");
    await page.getByRole("button", { name: "Leave" }).click();
    await join(page, "Ada");
    await reads(page.locator(".delivery"), "not delivered");
  });

  it("between leaving the page and coming back loses no message", async () => {
    let connections = 0;
    const page = await scripted((socket) => {
      connections += 1;
      if (connections < 2) return; // the first takes everything, and acknowledges nothing
      socket.onMessage(() => socket.send('{"type":"ack"}'));
    });
    await join(page, "Ada");
    await reads(state(page), "Connected");
    await say(page, "hello?");
    await reads(page.locator(".delivery"), "sending…");
    await page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true }));
      dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    });
    await reads(page.locator(".delivery"), "delivered");
    expect(connections).toBe(2);
  });

  it("lets so many messages wait, and takes no more", async () => {
    const page = await scripted(() => {});
    await join(page, "Ada");
    for (let number = 1; number <= 17; number += 1) await say(page, `number ${number}`);
    await reads(page.locator("#problem"), /^Not sent: too many messages wait/);
    expect(await field(page).inputValue()).toBe("number 17");
    await expect.poll(() => page.locator("#messages li").count(), POLL).toBe(16);
  });
});

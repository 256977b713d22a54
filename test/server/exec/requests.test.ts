import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../support/until.ts";
import { startedExec } from "./started-exec.ts";

test.each<Record<string, string>>([
  { "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty" },
  { "sec-fetch-site": "same-site", "sec-fetch-dest": "empty" },
  { "sec-fetch-site": "same-origin", "sec-fetch-dest": "image" },
  { "sec-fetch-site": "none", "sec-fetch-dest": "iframe" },
  { "sec-fetch-dest": "script" },
  { origin: "https://elsewhere.example" },
  { origin: "null" },
  { "user-agent": "Mozilla/5.0 (any)" },
  { "user-agent": "Mozilla/5.0 (any)", referer: "http://elsewhere.example/" },
])("starts nothing for %j", async (headers) => {
  const { address, started } = await startedExec("echo hello");
  const answer = await fetch(`http://${address}/`, { headers });
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ error: { code: "forbidden" } });
  expect(started()).toBe(0);
});

test.each<Record<string, string>>([
  {},
  { "sec-fetch-site": "same-origin", "sec-fetch-dest": "empty" },
  { "sec-fetch-site": "none", "sec-fetch-dest": "empty" },
  { origin: "https://a.example", "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty" },
  { "user-agent": "Mozilla/5.0 (any)", referer: "https://a.example/page" },
])("starts one for %j", async (headers) => {
  const { address } = await startedExec("echo hello", { allowOrigins: ["https://a.example"] });
  const answer = await fetch(`http://${address}/`, { headers });
  expect(await answer.text()).toBe("hello\n");
});

test("starts one for a page of its own in a browser that says nothing else", async () => {
  const { address } = await startedExec("echo hello");
  const headers = { "user-agent": "Mozilla/5.0 (any)", referer: `http://${address}/a?b` };
  expect(await (await fetch(`http://${address}/`, { headers })).text()).toBe("hello\n");
});

test("an EventSource that comes back after the end is told to stay away", async () => {
  const { address, started } = await startedExec("echo hello");
  const ask = (headers: Record<string, string>) =>
    fetch(`http://${address}/`, { headers: { accept: "text/event-stream", ...headers } });
  const text = await (await ask({})).text();
  const [, id] = /^id: (.*)$/m.exec(text)!;
  expect((await ask({ "last-event-id": id! })).status).toBe(204);
  expect(started()).toBe(1);
  expect(await (await ask({ "last-event-id": "another" })).text()).toContain("hello");
});

test("a handshake that is none starts nothing and is refused", async () => {
  const { address, started, app } = await startedExec("sleep 60");
  const [host, port] = address.split(":");
  const socket = connect(Number(port), host);
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 400 /);
  expect(started()).toBe(0);
  expect(app.stats().processes).toBe(0);
  socket.destroy();
});

test.each([
  [["capnweb"], "capnweb", true],
  [["capnweb", "other"], "capnweb", true],
  [["other", "capnweb"], "other", false],
])("of the subprotocols %j it takes %s", async (offered, taken, isSession) => {
  const { address, app } = await startedExec("cat");
  const socket = new WebSocket(`ws://${address}/`, offered);
  await once(socket, "open");
  expect(socket.protocol).toBe(taken);
  expect(app.stats().sessions).toBe(isSession ? 1 : 0);
  socket.terminate();
});

test.each([
  ["application/x-ndjson;q=0.9, text/event-stream", "text/event-stream"],
  ["application/x-ndjson, text/event-stream;q=0.9", "application/x-ndjson"],
  ["text/event-stream;q=0.5, text/plain", "text/plain; charset=utf-8"],
  ["image/png", "text/plain; charset=utf-8"],
])("asked for %s it answers with %s", async (accept, type) => {
  const { address } = await startedExec("echo hello");
  const answer = await fetch(`http://${address}/`, { headers: { accept } });
  expect(answer.headers.get("content-type")).toBe(type);
  await answer.text();
});

test.each(["upgrade", "stream"])(
  "a client that leaves while its program starts leaves none behind (%s)",
  async (kind) => {
    const { goOn, held } = hold();
    const { address, app } = await startedExec("sleep 60", { held });
    if (kind === "upgrade") {
      const socket = new WebSocket(`ws://${address}/`);
      socket.on("error", () => {});
      await until(() => app.stats().processes === 1);
      socket.terminate();
    } else {
      const leave = new AbortController();
      const answer = fetch(`http://${address}/`, { signal: leave.signal });
      answer.catch(() => {});
      await until(() => app.stats().processes === 1);
      leave.abort();
    }
    goOn();
    await until(() => app.stats().processes === 0);
  },
);

test("a program that is started while the server stops is ended too", async () => {
  const { goOn, held } = hold();
  const { address, app } = await startedExec("sleep 60", { held });
  const answer = fetch(`http://${address}/`, { headers: { accept: "application/x-ndjson" } });
  await until(() => app.stats().processes === 1);
  const closed = app.close();
  goOn();
  expect(await (await answer).text()).toContain("shutting_down");
  await closed;
  expect(app.stats().processes).toBe(0);
});

function hold(): { goOn: () => void; held: Promise<void> } {
  let goOn = () => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  return { goOn: () => goOn(), held };
}

/** How many programs run at once: in all, and for one address. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { expect } from "vitest";
import { until } from "../support/until.ts";
import { ask } from "../support/wire.ts";
import { TRANSPORTS } from "./guests.ts";
import { childrenOf, isAlive } from "./processes.ts";
import { sh } from "./row.ts";
import { test } from "./stage.ts";
import type { Refused } from "./visit.ts";
import { refusal } from "./visit.ts";

test.concurrent(
  "one more than may run is refused on every transport before it is upgraded, and told when to come",
  async ({ startExec, open, visit }) => {
    const server = await startExec(["cat"], ["--max-processes", "2"]);
    await visit(server);
    const last = await visit(server);
    for (const transport of TRANSPORTS) {
      const error: unknown = await open(transport, server).catch((reason: unknown) => reason);
      expect([transport, refusal(error)]).toEqual([transport, 429]);
      expect(Number((error as Refused).headers["retry-after"])).toBeGreaterThan(0);
    }
    const { text } = await ask(server.url, { headers: { Accept: "*/*" } });
    expect(JSON.parse(text)).toMatchObject({ error: { code: "too_many_processes" } });
    expect(childrenOf(server.process.pid!)).toHaveLength(2);

    last.socket.close();
    await until(async () => (await open("SSE", server).then(() => 200, refusal)) === 200);
  },
);

test.concurrent(
  "a slot is taken until nothing of its program is left",
  async ({ startExec, visit, open }) => {
    const stubborn = sh("(trap '' INT TERM; exec sleep 1000) & echo $!; exec cat");
    const server = await startExec(stubborn, ["--max-processes", "1"]);
    const client = await visit(server);
    const child = Number((await client.first(1))[0]);
    client.socket.terminate();
    await until(async () => (await open("NDJSON", server).then(() => 200, refusal)) === 200);
    expect(isAlive(child)).toBe(false);
  },
);

test.concurrent(
  "one address has its own cap, and leaves the rest to others",
  async ({ startExec, visit, onTestFinished }) => {
    const flags = ["--max-processes", "3", "--max-processes-per-address", "2"];
    const server = await startExec(["sleep", "1000"], flags);
    const elsewhere = async () => {
      const { port } = server;
      const asked = request({ host: "127.0.0.1", port, localAddress: "127.0.0.2", agent: false });
      onTestFinished(() => void asked.destroy());
      asked.end();
      const [response] = (await once(asked, "response")) as [IncomingMessage];
      response.on("error", () => {}); // it is cut off in the end
      return response.statusCode;
    };
    const one = await visit(server);
    await visit(server);
    expect(await visit(server).catch(refusal)).toBe(429);
    expect(await elsewhere()).toBe(200);
    expect(await elsewhere()).toBe(429); // the whole house is full
    one.socket.terminate();
    await until(async () => (await elsewhere()) === 200);
    expect(await visit(server).catch(refusal)).toBe(429);
  },
);

test.concurrent("nobody who is refused takes a slot", async ({ startExec, visit }) => {
  const server = await startExec(["cat"], ["--max-processes", "1"]);
  const foreign = { headers: { Origin: "https://evil.example" } };
  const refused = Array.from({ length: 20 }, () => visit(server, foreign).catch(refusal));
  expect(new Set(await Promise.all(refused))).toEqual(new Set([403]));
  await visit(server);
});

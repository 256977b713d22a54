/** What the client outlives: a killed server, proxies that know too little, and its own program. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { startTimer } from "../../client/clock.ts";
import { TRANSPORTS } from "../../client/client.ts";
import { epochOf } from "../../client/cursor.ts";
import { type Client, connect, type ConnectOptions } from "../../client/node.ts";
import type { SubscribedEvent } from "../../client/subscription.ts";
import { type Fault, startedFaultProxy } from "../support/fault-proxy.ts";
import { type HttpFault, startedHttpFaultProxy } from "../support/fault-proxy-http.ts";
import { startedLocal, startedProcess } from "../support/server.ts";
import { until } from "../support/until.ts";

const TOKEN = "token";

function opened(url: string, options: ConnectOptions = {}): Client {
  // The jitter is not what is looked at here.
  const client = connect(url, { random: () => 0, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** @returns its cursor */
async function publish(url: string, data: unknown): Promise<string> {
  const answer = await fetch(`${url}/topics/topic`, {
    method: "POST",
    headers: { Authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(data),
  });
  return ((await answer.json()) as { cursor: string }).cursor;
}

function portOf({ url }: { readonly url: string }): number {
  return Number(new URL(url).port);
}

describe("a server that is killed under load, and started again", () => {
  const ARGS = ["--publish-token", TOKEN, "--history", "100000"];

  /** Publishes one event after the other, also while nobody takes them. */
  function keepPublishing(url: string): () => Promise<void> {
    let stopped = false;
    const running = (async () => {
      while (!stopped) await publish(url, "event").catch(() => {});
    })();
    return async () => {
      stopped = true;
      await running;
    };
  }

  test("each of 49 clients goes on, after exactly one gap that says the log began anew", async () => {
    const server = await startedProcess(ARGS);
    const from = await publish(server.url, "first");
    const stopPublishing = keepPublishing(server.url);
    const choices = [...TRANSPORTS.map((name) => [name]), undefined];
    const readers = Array.from({ length: 49 }, (_, index) => {
      const client = opened(server.url, { transports: choices[index % choices.length] });
      const subscription = client.subscribe("topic", { after: from });
      const events: SubscribedEvent[] = [];
      const reading = (async () => {
        for await (const event of subscription.events()) {
          events.push(event);
          if (event.data === "last") break;
        }
      })();
      return { events, client, reading };
    });
    await until(() => readers.every(({ events }) => events.length > 50));
    await server.kill("SIGKILL");
    const isConnected = ({ client }: { client: Client }) =>
      client.connection.status.state === "connected";
    await until(() => !readers.some(isConnected));
    const calls = readers.map(({ client }) => client.api.topics());
    const again = await startedProcess([...ARGS, "--port", String(server.port)]);
    const killedAt = readers.map(({ events }) => events.length);
    await until(() => readers.every(({ events }, index) => events.length > killedAt[index]! + 50));
    await stopPublishing();
    const end = await publish(server.url, "last");
    await Promise.all(readers.map(({ reading }) => reading));

    for (const { events } of readers) {
      const begunAnew = events.findIndex(({ cursor }) => epochOf(cursor) === epochOf(end));
      const [before, after] = [events.slice(0, begunAnew), events.slice(begunAnew)];
      expect(before.every(({ cursor }) => epochOf(cursor) === epochOf(from))).toBe(true);
      expect(before.map(({ offset }) => offset)).toEqual(before.map((_, index) => index + 2));
      expect(after.map(({ offset }) => offset)).toEqual(after.map((_, index) => index + 1));
      expect(events.at(-1)!.cursor).toBe(end);
      expect(events.filter(({ gap }) => gap)).toEqual([after[0]]);
      expect(after[0]!.gap).toEqual({ missed: null, reason: "epoch" });
    }
    for (const topics of await Promise.all(calls)) expect(topics.length).toBeGreaterThan(0);
    expect(again.output()).not.toContain("rror");
  });
});

describe("a program that uses the client", () => {
  const PROGRAM = `
    import { connect } from ${JSON.stringify(pathToFileURL("dist/client/node.js").href)};
    import { once } from "node:events";
    const [url, transport, leaving] = process.argv.slice(1);
    const client = connect(url, { transports: [transport] });
    await client.api.topics();
    let taken = 0;
    for await (const { events } of client.subscribe("topic", { after: "earliest" })) {
      taken += events.length;
      if (taken < 3) continue;
      console.log("taken");
      if (leaving === "later") await once(process.stdin, "data");
      if (leaving === "inside") client.close();
      else break;
    }
    client.close();
    process.stdin.unref();
    console.log("end");
  `;
  const ENDS_IN_MS = 20_000; // the package `ws` would wait 30 s for a server that does not answer

  function start(...args: readonly string[]) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
      timeout: ENDS_IN_MS,
      killSignal: "SIGKILL",
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let output = "";
    child.stdout.on("data", (text: Buffer) => (output += text.toString()));
    const ended = once(child, "exit").then(([code]) => ({ code: code as unknown, output }));
    return { child, ended, output: () => output };
  }

  async function publishingServer() {
    const server = await startedProcess(["--publish-token", TOKEN]);
    for (const data of [1, 2, 3]) await publish(server.url, data);
    return server;
  }

  test.each(TRANSPORTS)("ends by itself when it has left, over %s", async (transport) => {
    const server = await publishingServer();
    const left = { code: 0, output: "taken\nend\n" };
    const [inside, outside] = [
      start(server.url, transport, "inside"),
      start(server.url, transport, "outside"),
    ];
    expect(await inside.ended).toEqual(left);
    expect(await outside.ended).toEqual(left);
  });

  test.each(TRANSPORTS)("ends although the server has frozen, over %s", async (transport) => {
    const server = await publishingServer();
    const program = start(server.url, transport, "later");
    await until(() => program.output() === "taken\n");
    server.process.kill("SIGSTOP");
    program.child.stdin.end("leave");
    expect(await program.ended).toEqual({ code: 0, output: "taken\nend\n" });
  });
});

describe("a proxy that knows too little", () => {
  /** A reader of 1, 2, 3 … through such a proxy, and timers of minutes in the test's hands. */
  async function through(first: HttpFault, options: ConnectOptions = {}) {
    const now = { fault: first };
    const server = await startedLocal();
    const proxy = await startedHttpFaultProxy(portOf(server), () => now.fault);
    const long = new Set<() => void>();
    const client = opened(proxy.url, {
      setTimer: (callback, ms) => {
        if (ms < 4 * 60_000) return startTimer(callback, ms);
        long.add(callback);
        return () => long.delete(callback);
      },
      ...options,
    });
    const subscription = client.subscribe<number>("topic", { after: "earliest" });
    const offsets: number[] = [];
    const tried: string[] = [];
    subscription.onStatus(({ state, message }) => tried.push(`${state}: ${message}`));
    subscription.listen({
      onGap: (gap) => expect(gap).toBeUndefined(),
      onEvent: ({ offset }) => void offsets.push(offset),
    });
    let published = 0;
    const publishTen = async () => {
      for (let count = 0; count < 10; count += 1)
        await server.hub.publish("topic", (published += 1));
      await until(() => offsets.length >= published);
      expect(offsets).toEqual(Array.from({ length: published }, (_, index) => index + 1));
    };
    const minutesPass = () => {
      for (const callback of [...long]) callback();
    };
    return { now, proxy, subscription, tried, publishTen, minutesPass };
  }

  test.each<HttpFault["upgrades"]>(["refuse", "strip"])(
    "%ss upgrades: SSE is read after two tries, and Cap'n Web again when it gets through",
    async (upgrades) => {
      const { now, proxy, subscription, tried, publishTen, minutesPass } = await through({
        upgrades,
      });
      await publishTen();
      expect(subscription.status.transport).toBe("sse");
      expect(tried.filter((status) => status.startsWith("reconnecting"))).toHaveLength(4);
      now.fault = {};
      await publishTen();
      expect(subscription.status.transport).toBe("sse");
      await until(() => {
        minutesPass();
        return subscription.status.transport === "rpc-tail";
      });
      await publishTen();
      now.fault = { upgrades };
      proxy.cut();
      await publishTen();
      expect(subscription.status.transport).toBe("sse");
    },
  );

  test("holds answers back: long-polling is read, and what streams when it gets through", async () => {
    const fault: HttpFault = { upgrades: "refuse", buffers: true };
    const { now, subscription, publishTen, minutesPass } = await through(fault, { openMs: 300 });
    await publishTen();
    expect(subscription.status.transport).toBe("long-poll");
    await publishTen();
    now.fault = {};
    await until(() => {
      minutesPass();
      return subscription.status.transport === "rpc-tail";
    });
    await publishTen();
  });
});

describe("calls beside it", () => {
  test("run once when they were answered, not at all when unreachable, and else at most once", async () => {
    const server = await startedLocal({ app: { publishToken: TOKEN } });
    let fault: Fault = {};
    const proxy = await startedFaultProxy(portOf(server), () => fault);
    const { api } = opened(proxy.url, { callWaitMs: 1_000 });
    const outcomes: Promise<[number, string]>[] = [];
    const call = () => {
      const number = outcomes.length;
      const published = api.authenticate(TOKEN).publish("topic", number);
      outcomes.push(
        published.then(
          () => [number, "answered"],
          (error: { code: string }) => [number, error.code],
        ),
      );
    };
    call();
    await outcomes[0];
    call();
    proxy.cut(); // before the proxy has read it
    const faults: Fault[] = [{}, { afterBytes: 300 }, { afterMs: 0 }, { afterBytes: 600 }, {}];
    for (const next of [...faults, ...faults]) {
      fault = next;
      for (let count = 0; count < 20; count += 1) {
        call();
        if (count === 10) proxy.cut();
        await new Promise((resolve) => setTimeout(resolve));
      }
      await Promise.race(outcomes.slice(-1));
    }
    fault = { afterMs: 0 };
    proxy.cut();
    await until(async () => {
      call();
      return (await outcomes.at(-1)!)[1] === "unreachable";
    });

    const { events } = await server.hub.read("topic", { after: "earliest", limit: 1_000 });
    const counts = new Map<unknown, number>();
    for (const { data } of events) counts.set(data, (counts.get(data) ?? 0) + 1);
    const seen = new Set<string>();
    for (const [number, outcome] of await Promise.all(outcomes)) {
      seen.add(outcome);
      const count = counts.get(number) ?? 0;
      if (outcome === "answered") expect(count, `call ${number}`).toBe(1);
      else if (outcome === "unreachable") expect(count, `call ${number}`).toBe(0);
      else expect([outcome, Math.max(count, 1)], `call ${number}`).toEqual(["may_have_run", 1]);
    }
    expect([...seen].toSorted()).toEqual(["answered", "may_have_run", "unreachable"]);
  });
});

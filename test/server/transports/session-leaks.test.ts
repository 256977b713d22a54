/** What a session opened is closed again: Cap'n Web's tables return to their baseline. */
import { expect, test } from "vitest";
import { openSocket } from "../../support/rpc.ts";
import { startedLocal } from "../../support/server.ts";

test("100,000 events through tail and listen leave getStats() at its baseline, on both ends", async () => {
  const server = await startedLocal({ limits: { answerMs: 50 } });
  const { api, session } = await openSocket(server.socketUrl);
  const bothEnds = () => ({ client: session.getStats(), server: tables(server.app.stats()) });
  const idle = await settled(bothEnds);

  const seen = { tail: 0, listen: 0 };
  const reader = (await api.tail("topic")).getReader();
  const handle = await api.listen("topic", ({ events }) => {
    seen.listen = events.at(-1)?.offset ?? seen.listen;
  });
  const tailing = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      seen.tail = value.events.at(-1)?.offset ?? seen.tail;
    }
  })();
  const publishUntil = async (last: number) => {
    while (server.hub.stats().published < last) {
      await server.hub.publish("topic", { text: "some event" });
      // Many events to a batch, many batches, and never past the history.
      if (server.hub.stats().published % 100 === 0) {
        const published = server.hub.stats().published;
        await expect
          .poll(() => seen, { interval: 1 })
          .toEqual({ tail: published, listen: published });
      }
    }
  };
  await publishUntil(100);
  const open = await settled(bothEnds);

  await publishUntil(100_000);
  const { client, server: ours } = await settled(bothEnds);
  expect(ours).toEqual(open.server);
  // The last call of a callback is released with the next; a tail's with the next answer.
  expect(client.exports).toBeLessThanOrEqual(open.client.exports + 64);

  handle[Symbol.dispose]();
  await reader.cancel();
  await tailing;
  // A cancelled stream is noticed with the answer to the next batch.
  await server.hub.publish("topic", {});
  await expect.poll(bothEnds).toEqual(idle);
  expect(server.app.stats().readers).toBe(0);
});

test("a quiet stream and a quiet callback end with their connection", async () => {
  const server = await startedLocal();
  const client = await openSocket(server.socketUrl);
  await client.api.tail("topic");
  await client.api.listen("topic", () => {});
  expect(server.app.stats()).toMatchObject({ readers: 2, sessions: 1 });
  client.close();
  await expect.poll(() => server.app.stats()).toMatchObject({ readers: 0, sessions: 0 });
});

test("a cancelled stream on a quiet topic ends with the next heartbeat", async () => {
  const server = await startedLocal({ limits: { heartbeatMs: 20 } });
  const { api } = await openSocket(server.socketUrl);
  const stream = await api.tail("topic");
  await stream.cancel();
  await expect.poll(() => server.app.stats().readers).toBe(0);
});

test("an idle tail and an idle listen get an empty batch with a cursor as heartbeat", async () => {
  const server = await startedLocal({ limits: { heartbeatMs: 20 } });
  const { api } = await openSocket(server.socketUrl);
  const cursor = await server.hub.publish("topic", 1);
  const reader = (await api.tail("topic")).getReader();
  expect((await reader.read()).value).toMatchObject({ events: [], cursor });
  const heard = new Promise((resolve) => void api.listen("topic", resolve));
  expect(await heard).toMatchObject({ events: [], cursor });
});

test("a callback that throws ends its own listening and nothing else", async () => {
  const server = await startedLocal();
  const { api } = await openSocket(server.socketUrl);
  const heard: number[] = [];
  const broken = await api.listen("topic", () => {
    throw new Error("the page has a bug");
  });
  await api.listen("topic", ({ events }) => {
    heard.push(...events.map(({ offset }) => offset));
  });
  await server.hub.publish("topic", 1);
  await expect(broken.closed()).rejects.toThrow("the page has a bug");
  await server.hub.publish("topic", 2);
  await expect.poll(() => heard).toEqual([1, 2]);
  expect(server.app.stats().readers).toBe(1);
});

test("disposing the handle ends the listening without an error", async () => {
  const server = await startedLocal();
  const { api } = await openSocket(server.socketUrl);
  const handle = await api.listen("topic", () => {});
  const closed = handle.closed();
  await expect.poll(() => server.app.stats().readers).toBe(1);
  handle[Symbol.dispose]();
  await expect.poll(() => server.app.stats().readers).toBe(0);
  await closed;
});

test("a listening that the server ends says why", async () => {
  const server = await startedLocal();
  const { api } = await openSocket(server.socketUrl);
  const handle = await api.listen("topic", () => {});
  const closed = handle.closed();
  closed.catch(() => {}); // looked at below
  await server.app.close({ graceMs: 8_000, random: () => 0.25 });
  await expect(closed).rejects.toMatchObject({ code: "shutting_down", retryAfterMs: 2_000 });
});

test.each([1, 2, 3])("bounds the readers of one session: %i of 2", async (count) => {
  const server = await startedLocal({ limits: { sessionReaders: 2 } });
  const { api } = await openSocket(server.socketUrl);
  const opened = await Promise.allSettled(
    Array.from({ length: count }, () => api.tail("topic") as Promise<unknown>),
  );
  const refused = opened.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(Math.max(0, count - 2));
  for (const { reason } of refused as PromiseRejectedResult[]) {
    expect(reason).toMatchObject({ code: "limit_exceeded" });
  }
  expect(server.app.stats().readers).toBe(Math.min(2, count));
});

test.each([1, 2, 3])("bounds the readers of the server: %i of 2", async (count) => {
  const server = await startedLocal({ limits: { readers: 2 } });
  const opened = await Promise.allSettled(
    Array.from({ length: count }, async () => {
      const { api } = await openSocket(server.socketUrl);
      return await api.tail("topic");
    }),
  );
  const refused = opened.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(Math.max(0, count - 2));
});

/** The figures when nothing is on its way any more: the same for many turns. */
async function settled<T>(figures: () => T): Promise<T> {
  let last = figures();
  for (let same = 0; same < 200; same += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = figures();
    if (JSON.stringify(now) !== JSON.stringify(last)) same = 0;
    last = now;
  }
  return last;
}

function tables({ imports, exports }: { imports: number; exports: number }) {
  return { imports, exports };
}

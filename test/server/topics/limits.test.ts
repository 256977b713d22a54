/** How many readers a server takes, over every transport, and what the next one is told. */
import { expect, onTestFinished, test } from "vitest";
import { openChunks } from "../../support/chunks.ts";
import { openFrames, refusedHandshake } from "../../support/frames.ts";
import { openSocket } from "../../support/rpc.ts";
import { type LocalServer, startedLocal } from "../../support/server.ts";
import { NDJSON, refusalOf, SSE } from "../../support/topic-requests.ts";
import { type Answer, ask } from "../../support/wire.ts";

interface Way {
  /** Takes a place until what it returns is called. */
  open(server: LocalServer): Promise<() => void>;
  /** Knocks when there is no place. */
  knock(server: LocalServer): Promise<Answer>;
}

const stream = (headers: Record<string, string>): Way => ({
  open: async ({ url }) => {
    const { status, socket } = await openChunks(`${url}/topics/topic`, headers);
    expect(status).toBe(200);
    onTestFinished(() => void socket.destroy());
    return () => socket.destroy();
  },
  knock: ({ url }) => ask(`${url}/topics/topic`, { headers }),
});

const WAYS: [string, Way][] = [
  ["SSE", stream(SSE)],
  ["NDJSON", stream(NDJSON)],
  [
    "WebSocket",
    {
      open: async ({ url }) => {
        const { socket, next } = await openFrames(`${url.replace(/^http/, "ws")}/topics/topic`);
        await next();
        return () => socket.terminate();
      },
      knock: ({ url }) => refusedHandshake(`${url.replace(/^http/, "ws")}/topics/topic`),
    },
  ],
  [
    "long-polling",
    {
      open: async (server) => {
        const leave = new AbortController();
        const { readers } = server.app.stats();
        const url = `${server.url}/topics/topic?wait=30`;
        ask(url, { signal: leave.signal }).catch(() => {}); // it is left
        await expect.poll(() => server.app.stats().readers).toBe(readers + 1);
        onTestFinished(() => leave.abort());
        return () => leave.abort();
      },
      knock: ({ url }) => ask(`${url}/topics/topic?wait=30`),
    },
  ],
];

test.each(WAYS)(
  "over %s the third of two is a 503 that says when to come back",
  async (_name, { open, knock }) => {
    const server = await startedLocal({ limits: { readers: 2 } });
    await open(server);
    const leave = await open(server);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const answer = await knock(server);
      expect(refusalOf(answer)).toEqual({ status: 503, code: "limit_exceeded" });
      expect(answer.headers["retry-after"]).toBe("5");
    }
    expect(server.app.stats().readers).toBe(2);
    leave();
    await expect.poll(() => server.app.stats().readers).toBe(1);
    await open(server);
    expect(server.app.stats().readers).toBe(2);
  },
);

test("all ways share the places, also those over Cap'n Web", async () => {
  const server = await startedLocal({ limits: { readers: 5 } });
  const { api } = await openSocket(server.socketUrl);
  await api.tail("topic");
  for (const [, { open }] of WAYS) await open(server);
  for (const [, { knock }] of WAYS) {
    expect(refusalOf(await knock(server))).toEqual({ status: 503, code: "limit_exceeded" });
  }
  await expect(api.tail("topic")).rejects.toMatchObject({ code: "limit_exceeded" });
});

test("a crowd that comes at once gets every place and not one more", async () => {
  const server = await startedLocal({ limits: { readers: 10 } });
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const answer = await openChunks(`${server.url}/topics/topic`, SSE);
      onTestFinished(() => void answer.socket.destroy());
      return answer.status;
    }),
  );
  expect(answers.filter((status) => status === 200)).toHaveLength(10);
  expect(answers.filter((status) => status === 503)).toHaveLength(40);
  expect(server.app.stats().readers).toBe(10);
});

test("of a crowd of handshakes those that find no place any more are told with 1013", async () => {
  const server = await startedLocal({ limits: { readers: 10 } });
  const url = `${server.url.replace(/^http/, "ws")}/topics/topic`;
  const shake = async () => {
    const frames = await openFrames(url).catch(() => undefined);
    if (!frames) return "refused at the door";
    return frames.next().then(
      () => "reads",
      ({ message }: Error) => /^closed: 1013 .*"limit_exceeded"/.exec(message)?.[0].slice(0, 12),
    );
  };
  const fates = await Promise.all(Array.from({ length: 50 }, shake));
  const told = ["refused at the door", "closed: 1013"];
  expect(fates.filter((fate) => fate === "reads")).toHaveLength(10);
  expect(fates.filter((fate) => told.includes(fate!))).toHaveLength(40);
  expect(server.app.stats().readers).toBe(10);
});

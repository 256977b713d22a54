/**
 * One URL per topic. How you ask decides how it is delivered: WebSocket by Upgrade, SSE and NDJSON
 * by Accept, else one batch as JSON. Whatever is wrong is said before any of them begins.
 */
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { checkWhole, shown } from "./check.ts";
import { PushError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Publishing } from "./publishing.ts";
import { answerPoll } from "./transports/long-poll.ts";
import { NDJSON, streamLines } from "./transports/ndjson.ts";
import { streamEvents } from "./transports/sse.ts";
import { streamFrames } from "./transports/websocket.ts";
import { readBody } from "./wire/body.ts";
import { handOver } from "./wire/hand-over.ts";
import { acceptSocket, type Bindings, isHandshake } from "./wire/upgrade.ts";
import { refuseMethod } from "./wire/method.ts";
import { EVENT_STREAM } from "./wire/event-stream.ts";

type TopicContext = Context<{ Bindings: Bindings }, "/:topic">;

/** What a reader asks for in the URL; numbers are checked, places are the hub's business. */
interface Asked {
  readonly topic: string;
  readonly after: string | undefined;
  readonly last: number | undefined;
  readonly limit: number | undefined;
  /** For a poll; a stream waits anyway. */
  readonly waitMs: number;
}

export function topicRoutes(hub: Hub, publishing: Publishing): Hono<{ Bindings: Bindings }> {
  const topics = new Hono<{ Bindings: Bindings }>();
  topics.get("/", async (c) => c.json(await hub.topics(), 200, NO_STORE));
  topics.all("/", (c) => refuseMethod(c, "GET, HEAD"));
  topics.get("/:topic", (c) => (isHandshake(c) ? accept(c, hub) : read(c, hub)));
  topics.post("/:topic", (c) => publish(c, hub, publishing));
  topics.all("/:topic", (c) => refuseMethod(c, "GET, HEAD, POST"));
  return topics;
}

/** Nothing is opened before the handshake, which may still fail. */
async function accept(c: TopicContext, hub: Hub): Promise<Response> {
  const { topic, limit, ...from } = asked(c, hub);
  const after = await hub.admit(topic, from);
  return acceptSocket(c, (upgraded) => void streamFrames(upgraded, hub, { topic, after, limit }));
}

async function read(c: TopicContext, hub: Hub): Promise<Response> {
  const question = asked(c, hub);
  if (c.req.method === "HEAD") c.header("Cursor", await hub.admit(question.topic, question));
  const type = accepts(c, { header: "Accept", supports: TYPES, default: JSON_TYPE });
  if (type === EVENT_STREAM) {
    const lastEventId = c.req.header("Last-Event-ID");
    return handOver(c, type, (response) =>
      streamEvents(response, hub, { ...question, lastEventId }),
    );
  }
  if (type === NDJSON) {
    return handOver(c, type, (response) => streamLines(response, hub, question));
  }
  const batch = await answerPoll(c.env.incoming, hub, question);
  return c.json(batch, 200, NO_STORE);
}

const NO_STORE = { "Cache-Control": "no-store" };
const JSON_TYPE = "application/json";
const TYPES = [JSON_TYPE, EVENT_STREAM, NDJSON];

/** RFC 6750 for the token, draft-ietf-httpapi-idempotency-key-header for the key. */
async function publish(c: TopicContext, hub: Hub, publishing: Publishing): Promise<Response> {
  const [, token] = /^bearer +(\S+) *$/i.exec(c.req.header("Authorization") ?? "") ?? [];
  publishing.authorize(token);
  const body = await readBody(c.env.incoming, hub.limits.eventBytes);
  const published = await publishing.publish(c.req.param("topic"), parseData(body), {
    name: c.req.query("event"),
    idempotencyKey: c.req.header("Idempotency-Key"),
  });
  return c.json(published, 201);
}

function parseData(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new PushError("invalid_request", `Expected a JSON body: ${(error as Error).message}`);
  }
}

function asked(c: TopicContext, { limits }: Hub): Asked {
  const query = c.req.query();
  return {
    topic: c.req.param("topic"),
    after: query["after"],
    last: wholeNumber("last", query["last"], 0, limits.maxSubscriptionCapacity),
    limit: wholeNumber("limit", query["limit"], 1, limits.batchEvents),
    waitMs: askedWait(query["wait"], limits.waitMs),
  };
}

function wholeNumber(
  name: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  return checkWhole(name, text && /^\d{1,15}$/.test(text) ? Number(text) : text, { min, max });
}

/** Seconds, as in `curl '…?wait=25'`; fractions are allowed. */
function askedWait(text: string | undefined, maxMs: number): number {
  if (text === undefined) return 0;
  const ms = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 1000) : Number.NaN;
  if (ms >= 0 && ms <= maxMs) return ms;
  throw new PushError(
    "invalid_request",
    `Expected \`wait\` to be 0–${maxMs / 1000} seconds, got ${shown(text)}`,
  );
}

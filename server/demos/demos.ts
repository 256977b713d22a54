/**
 * Small systems on the public API, each at a path of its own. They are examples of how little it
 * takes, and work as they are.
 */
import type { Context, Handler, Hono } from "hono";
import type { ServerResponse } from "node:http";
import { PushError } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { EVENT_STREAM } from "../wire/event-stream.ts";
import { handOver } from "../wire/hand-over.ts";
import { refuseMethod } from "../wire/method.ts";
import { acceptSocket, type Bindings, isHandshake } from "../wire/upgrade.ts";
import { Chat } from "./chat.ts";
import { ClientCount } from "./client-count.ts";
import type { Figures } from "./dashboard-json.ts";
import { Dashboard } from "./dashboard.ts";
import { FEED_TOPIC, startFeed } from "./feed.ts";
import { helloServlet } from "./hello-servlet.ts";
import { timeOfDay } from "./local-time.ts";
import { streamStates } from "./state-stream.ts";
import { Tickers } from "./tickers.ts";
import { writeTime } from "./time.ts";

export interface DemoOptions {
  /** Keeps what is the same for everybody, each as a topic: `dashboard`, `feed`, `client-count`. */
  hub: Hub;
  /** The chat's own: `CHAT_LOG` and `CHAT_LIMITS` in chat.ts. */
  chatHub: Hub;
  /** Measures the host for the dashboard. Calls do not overlap. */
  sample: () => Promise<Figures>;
  /** Between two ticks of a clock. Default 1,000. */
  tickMs?: number;
  /** Between two updates of the dashboard. Default 3,000. */
  dashboardMs?: number;
}

type Env = { Bindings: Bindings };
type DemoContext = Context<Env, string>;

/** @returns what to close before the program ends; each client is told when to come back */
export function demoRoutes(
  router: Hono<Env>,
  { hub, chatHub, sample, tickMs = 1_000, dashboardMs = 3_000 }: DemoOptions,
): { close(reason: () => PushError): void } {
  const chat = new Chat(chatHub);
  const count = new ClientCount(hub);
  const dashboard = new Dashboard(hub, { sample, intervalMs: dashboardMs });
  const tickers = new Tickers(hub.limits.readers);
  const stops = [dashboard.start(), startFeed(hub, () => chat.size, tickMs)];

  const get = (path: string, answer: Handler<Env, string>) => {
    router.get(path, answer);
    router.all(path, (c) => refuseMethod(c, "GET, HEAD"));
  };
  const stream = (path: string, begin: (response: ServerResponse) => unknown) =>
    get(path, (c) => handOver(c, EVENT_STREAM, begin));

  stream("/dashboard/stream", (response) => dashboard.stream(response));
  get("/dashboard/debug", (c) => answerDebug(c, dashboard));
  get("/dashboard/trigger-test", (c) => answerTrigger(c, dashboard));
  get("/health", (c) => c.text("OK"));
  stream("/HelloServlet", (response) => tickers.start(response, helloServlet(), tickMs));
  get("/ws/chat", (c) => openChat(c, chat));
  stream("/events/feed", (response) => streamStates(response, hub, { topic: FEED_TOPIC }));
  stream("/api/time", (response) => tickers.start(response, writeTime, tickMs));
  stream("/api/client-count", (response) => count.join(response));

  return {
    close: (reason) => {
      for (const stop of stops) stop();
      tickers.close(reason);
      chat.close(reason).catch((error: unknown) => hub.onError(error, "closing the chat"));
    },
  };
}

function answerDebug(c: DemoContext, { connections }: Dashboard): Response {
  const current_time = timeOfDay(new Date());
  return c.json({ status: "running", server: "capnweb-push", current_time, connections }, 200, {
    "Cache-Control": "no-store",
  });
}

async function answerTrigger(c: DemoContext, dashboard: Dashboard): Promise<Response> {
  // RFC 9110 §9.2.1: a HEAD changes nothing.
  const connections = c.req.method === "HEAD" ? 0 : await dashboard.trigger();
  return c.json({ status: "sent", connections }, 200, { "Cache-Control": "no-store" });
}

/** Whether there is room is said before the handshake. */
async function openChat(c: DemoContext, chat: Chat): Promise<Response> {
  if (!isHandshake(c)) throw new PushError("upgrade_required", "Expected a WebSocket");
  const after = await chat.admit();
  return acceptSocket(c, ({ socket }) => void chat.join(socket, after));
}

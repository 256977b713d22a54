/**
 * A server that runs one program for each connection, the Unix way. How you ask decides how its
 * output is delivered; the path and the query are for the program.
 */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { type CloseOptions, Door, type Router } from "./door.ts";
import { PushError } from "./errors.ts";
import { FrameWriter } from "./exec/frame-writer.ts";
import { relayFrames } from "./exec/frames.ts";
import { Programs, type ProgramsOptions } from "./exec/programs.ts";
import type { Relay } from "./exec/relay.ts";
import { ProgramSession } from "./exec/session.ts";
import { BINARY_FORMATS, LAST_ID, LINE_FORMATS, relayStream } from "./exec/streams.ts";
import type { OnError } from "./hub.ts";
import type { Limits } from "./limits.ts";
import type { OriginRules } from "./origin.ts";
import { openPages } from "./pages.ts";
import { RpcSessions } from "./transports/rpc/sessions.ts";
import { EVENT_STREAM } from "./wire/event-stream.ts";
import { handOver } from "./wire/hand-over.ts";
import { refuseMethod } from "./wire/method.ts";
import { acceptSocket, type Bindings, isHandshake, type Upgraded } from "./wire/upgrade.ts";

export interface ExecOptions extends ProgramsOptions, OriginRules {
  limits: Limits;
  /** Told what no client may see. */
  onError: OnError;
  /** The folder of the built pages. */
  pages?: string;
}

export interface ExecApp {
  readonly fetch: Router["fetch"];
  readonly limits: Limits;
  /** `listen` tells it whether only this machine can reach it; an option given by hand wins. */
  listensOn(address: { loopback: boolean }): void;
  /** Tells every client that the server stops; resolves when no process is left that can be ended. */
  close(options?: CloseOptions): Promise<void>;
  stats(): { processes: number; sessions: number };
}

type RunContext = Context<{ Bindings: Bindings }>;

const HTML = "text/html";

export function createExecApp(options: ExecOptions): ExecApp {
  const { binary, limits, onError, allowOrigins, loopback } = options;
  const door = new Door({ onError, loopback, ...(allowOrigins && { allowOrigins }) });
  const { router } = door;
  const programs = new Programs(options);
  const sessions = new RpcSessions(limits);
  const formats = binary ? BINARY_FORMATS : LINE_FORMATS;
  const asked = {
    header: "Accept" as const,
    supports: [HTML, ...formats.map(({ accept }) => accept)],
    default: formats.at(-1)!.accept,
  };

  const acceptRun = async (c: RunContext, open: (upgraded: Upgraded, relay: Relay) => void) => {
    const { incoming } = c.env;
    // `ws` refuses it in its own words, and no program is started for it.
    if (!isWhole(incoming)) return acceptSocket(c, () => {});
    const relay = await programs.start(incoming, { input: true });
    return acceptSocket(c, (upgraded) => open(upgraded, relay));
  };

  const acceptSession = (c: RunContext) => {
    sessions.checkRoom();
    return acceptRun(c, (upgraded, relay) =>
      sessions.open(upgraded, (budget) => new ProgramSession(relay, { binary, budget, onError })),
    );
  };

  const frames = new FrameWriter();
  const acceptFrames = (c: RunContext) =>
    acceptRun(c, (upgraded, relay) => relayFrames(upgraded, relay, { frames, binary, limits }));

  const stream = (c: RunContext, type: string): Promise<Response> => {
    const format = formats.find(({ accept }) => accept === type)!;
    return handOver(c, format.type, async (response) => {
      const relay = await programs.start(c.env.incoming, { input: false });
      relayStream(response, relay, { format, limits });
    });
  };

  router.get("/api", (c) => {
    if (isHandshake(c)) return acceptSession(c);
    throw new PushError("upgrade_required", "Expected a WebSocket");
  });
  router.get("/static/", (c) => c.redirect("/")); // the page there names what is not here
  const { page } = openPages(router, options.pages);
  const showConsole = page("exec");
  router.get("*", async (c, next) => {
    if (isHandshake(c)) return wantsSession(c.env.incoming) ? acceptSession(c) : acceptFrames(c);
    const type = accepts(c, asked);
    if (type === EVENT_STREAM && c.req.header("Last-Event-ID") === LAST_ID)
      return c.body(null, 204);
    if (type !== HTML) return stream(c, type);
    c.header("Vary", "Accept");
    return showConsole(c, next);
  });
  router.all("*", (c) => refuseMethod(c, "GET, HEAD"));

  return {
    fetch: router.fetch,
    limits,
    listensOn: (address) => door.listensOn(address),
    stats: () => ({ processes: programs.size, sessions: sessions.size }),
    close: async (how) => {
      const reason = door.close(how);
      programs.close(reason);
      // Streams are told in their own words first; then their sessions end.
      await new Promise((resolve) => setImmediate(resolve));
      sessions.close(reason);
      await programs.gone();
    },
  };
}

/** What RFC 6455 §4.2.1 wants of a handshake, as strict as `ws` is. */
function isWhole({ headers }: IncomingMessage): boolean {
  const { "sec-websocket-key": key = "", "sec-websocket-version": version = "" } = headers;
  const protocols = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
  return (
    /^[+/\dA-Za-z]{22}==$/.test(key) &&
    /^(13|8)$/.test(version) &&
    protocols.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name)) &&
    new Set(protocols).size === protocols.length
  );
}

/** Of the subprotocols that are offered `ws` takes the first; this one gives a Cap'n Web session. */
function wantsSession({ headers }: IncomingMessage): boolean {
  return /^\s*capnweb\s*(,|$)/.test(headers["sec-websocket-protocol"] ?? "");
}

/**
 * Every route of the server, one line each. Checks at the door come first: a bad request is an HTTP
 * status or a refused handshake, never a 200 with a broken body.
 */
import { type CloseOptions, Door, plain, type Router } from "./door.ts";
import { PushError } from "./errors.ts";
import type { Hub } from "./hub.ts";
import type { Limits } from "./limits.ts";
import type { OriginRules } from "./origin.ts";
import { openPages } from "./pages.ts";
import { Publishing } from "./publishing.ts";
import { topicRoutes } from "./topics.ts";
import { answerBatch } from "./transports/rpc/batch.ts";
import { RpcSessionApi } from "./transports/rpc/session-api.ts";
import { RpcSessions } from "./transports/rpc/sessions.ts";
import { readBody } from "./wire/body.ts";
import { refuseMethod } from "./wire/method.ts";
import { acceptSocket, isHandshake } from "./wire/upgrade.ts";

export type { Router };

export interface AppOptions extends OriginRules {
  /** Milliseconds between two samples of the system metrics. */
  metricsIntervalMs?: number;
  /** What a client has to show to publish. Without one nobody may publish over the network. */
  publishToken?: string | undefined;
  /** The folder of the built pages. */
  pages?: string;
  /** Where `/` leads to; by default it is the page that names everything. */
  home?: string;
  /** Routes of your own, behind the same checks. What it returns is closed with the app. */
  routes?: (router: Router) => Closable | void;
}

export interface Closable {
  /** Tells every client why; `reason` gives each another time to come back. */
  close(reason: () => PushError): void;
}

export interface App {
  readonly fetch: Router["fetch"];
  /** Those of its hub; `listen` keeps some of them. */
  readonly limits: Limits;
  /** `listen` tells it whether only this machine can reach it; an option given by hand wins. */
  listensOn(address: { loopback: boolean }): void;
  /** Tells every client that the server stops, each when to come back: 0 to `graceMs` from now. */
  close(options?: CloseOptions): Promise<void>;
  stats(): ReturnType<Hub["stats"]> & ReturnType<RpcSessions["stats"]>;
}

export function createApp(hub: Hub, options: AppOptions = {}): App {
  const { metricsIntervalMs = 1_000, pages, publishToken, home, routes } = options;
  const { allowOrigins, loopback } = options;
  const publishing = new Publishing(hub, { token: publishToken });
  const api = { metricsIntervalMs, publishing };
  const sessions = new RpcSessions(hub.limits);
  const door = new Door({ onError: hub.onError, loopback, ...(allowOrigins && { allowOrigins }) });
  const { router } = door;

  router.get("/api", (c) => {
    if (!isHandshake(c)) throw new PushError("upgrade_required", "Expected a WebSocket or a POST");
    sessions.checkRoom();
    return acceptSocket(c, (upgraded) =>
      sessions.open(upgraded, (budget, ways) => new RpcSessionApi(hub, api, budget, ways)),
    );
  });
  router.post("/api", async (c) => {
    const body = await readBody(c.env.incoming, hub.limits.bodyBytes);
    return plain(c, await answerBatch(body, hub, api, c.env.incoming), 200);
  });
  router.all("/api", (c) => refuseMethod(c, "POST"));

  router.route("/topics", topicRoutes(hub, publishing));
  const more = routes?.(router);

  const { files } = openPages(router, pages);
  router.get("/", home === undefined ? files : (c) => c.redirect(home));

  return {
    fetch: router.fetch,
    limits: hub.limits,
    listensOn: (address) => door.listensOn(address),
    stats: () => ({ ...hub.stats(), ...sessions.stats() }),
    close: async (how) => {
      const reason = door.close(how);
      await hub.close(reason);
      // Streams and held polls are told in their own words first; then their sessions end.
      await new Promise((resolve) => setImmediate(resolve));
      sessions.close(reason);
      more?.close(reason);
    },
  };
}

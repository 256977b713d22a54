/**
 * A server for the HTTP measurement: the whole product, or capnweb's own handlers answering a
 * constant on the same Hono, adaptor and listening code.
 */
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { newHttpBatchRpcResponse, nodeHttpBatchRpcResponse, RpcTarget } from "capnweb";
import { type Context, Hono } from "hono";
import { type App, createApp } from "../../server/app.ts";
import type { MetricsUpdates } from "../../server/contract.ts";
import { METRICS_TOPIC } from "../../server/contract.ts";
import { Hub } from "../../server/hub.ts";
import { DEFAULT_LIMITS } from "../../server/limits.ts";
import { listen } from "../../server/listen.ts";
import { MemoryStore } from "../../server/store/memory-store.ts";
import { answer } from "../child.ts";
import { constantUpdates, SAMPLE } from "../samples.ts";

export type HttpServerKind = "product" | "fetch handler" | "node handler";
export type HttpServerQuestion = { kind: "start" } | { kind: "cpu" };
export interface Started {
  port: number;
  subscriptionId: string;
}

/**
 * Exactly one sample for every poll: whoever has everything is given the last one again. Neither
 * publishing, which in life all who poll share, nor a backlog's garbage is counted.
 */
class SameSampleStore extends MemoryStore {
  override read(...[topic, { epoch, offset }, limits]: Parameters<MemoryStore["read"]>) {
    return super.read(topic, { epoch, offset: offset - 1 }, limits);
  }
}

class ConstantApi extends RpcTarget {
  readonly #answer: MetricsUpdates;

  constructor(updates: MetricsUpdates) {
    super();
    this.#answer = updates;
  }

  pollMetricsUpdates(): MetricsUpdates {
    return this.#answer;
  }
}

const [server, samples] = process.argv.slice(2) as [HttpServerKind, "sample" | "empty"];
const hub = new Hub(samples === "sample" ? new SameSampleStore() : new MemoryStore());

answer(async ({ kind }: HttpServerQuestion): Promise<Started | NodeJS.CpuUsage> => {
  if (kind === "cpu") return process.cpuUsage();
  await hub.createTopic(METRICS_TOPIC);
  if (samples === "sample") await hub.publish(METRICS_TOPIC, SAMPLE);
  const { subscriptionId } = await hub.lease(METRICS_TOPIC);
  // As main.ts does it.
  const pages = import.meta.dirname; // any folder: the pages are not built for a measurement
  const app = server === "product" ? createApp(hub, { pages }) : constantApp();
  const { port } = await listen(app, { host: "localhost", port: 0 });
  return { port, subscriptionId };
});

function constantApp(): Pick<App, "fetch" | "limits" | "listensOn"> {
  const target = new ConstantApi(constantUpdates(samples === "sample" ? [SAMPLE] : []));
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post("/api", async (c: Context<{ Bindings: HttpBindings }>) => {
    if (server === "fetch handler") return newHttpBatchRpcResponse(c.req.raw, target);
    await nodeHttpBatchRpcResponse(c.env.incoming, c.env.outgoing, target);
    return RESPONSE_ALREADY_SENT;
  });
  return { fetch: app.fetch, limits: DEFAULT_LIMITS, listensOn: () => {} };
}

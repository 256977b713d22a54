/**
 * `serve`, the default: config → store → hub → app → listen, and back in reverse order when it is
 * told to stop.
 */
import { createRequire } from "node:module";
import { createApp } from "../app.ts";
import { type Config, parseConfig, USAGE } from "../config.ts";
import { METRICS_TOPIC } from "../contract.ts";
import { CHAT_LIMITS, CHAT_LOG } from "../demos/chat.ts";
import { demoRoutes } from "../demos/demos.ts";
import { Hub } from "../hub.ts";
import { type Listening, listen } from "../listen.ts";
import { createHostSampler } from "../sources/host-figures.ts";
import { startMetrics } from "../sources/metrics-source.ts";
import { createSimulatedSampler } from "../sources/simulated-metrics.ts";
import { createSystemSampler } from "../sources/system-metrics.ts";
import { MemoryStore } from "../store/memory-store.ts";

const GRACE_MS = 10_000; // how long clients have to take their leave

export { USAGE };

/** @param argv may begin with `serve`. @throws {UsageError} */
export async function serveCommand(argv: readonly string[]): Promise<void> {
  const command = parseConfig({ argv, env: process.env });
  if (command.kind === "help") return console.log(command.text);
  if (command.kind === "version") return console.log(version());
  await serve(command.config).catch(fail);
}

async function serve(config: Config): Promise<void> {
  const { heartbeatMs, leaseMs, subscriptionCapacity } = config;
  const store = new MemoryStore({ historyEvents: config.historyEvents });
  const hub = new Hub(store, { limits: { heartbeatMs, leaseMs, subscriptionCapacity } });
  process.on("unhandledRejection", (error) => hub.onError(error, "unhandled rejection"));
  await hub.createTopic(METRICS_TOPIC);
  const chatHub = new Hub(new MemoryStore(CHAT_LOG), { limits: CHAT_LIMITS, onError: hub.onError });
  const app = createApp(hub, {
    allowOrigins: config.allowOrigins,
    metricsIntervalMs: config.metricsIntervalMs,
    publishToken: config.publishToken,
    routes: (router) => demoRoutes(router, { hub, chatHub, sample: createHostSampler() }),
  });
  const { host, port } = config;
  const server = await listen(app, { host, port });
  const stopMetrics = startMetrics({
    sample: config.metrics === "system" ? createSystemSampler() : createSimulatedSampler(),
    intervalMs: config.metricsIntervalMs,
    publish: (sample) => hub.publish(METRICS_TOPIC, sample),
    onError: hub.onError,
  });

  const stopping = stopSignal(); // before anybody can know that it runs
  greet(host, server.port);
  const signal = await stopping;
  console.log(`${signal}: telling every client, then stopping`);
  stopMetrics();
  await stop(server, () => app.close({ graceMs: GRACE_MS }));
}

/** The port closes first, so that nobody comes back to this server while it takes its leave. */
async function stop(server: Listening, tellClients: () => Promise<void>): Promise<void> {
  const closed = server.close({ graceMs: GRACE_MS });
  await tellClients();
  await closed;
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}

function greet(host: string, port: number): void {
  const named = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const base = `http://${named.includes(":") ? `[${named}]` : named}:${port}`;
  console.log(`capnweb-push ${version()}`);
  console.log(`  live metrics  ${base}/static/serverpush/`);
  console.log(`  Cap'n Web     ${base}/api`);
  console.log(`  all the rest  ${base}/`);
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require("capnweb-push/package.json") as { version: string }).version;
}

/** What went wrong in one line; a bug comes with its stack. */
function fail(error: unknown): void {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    console.error("The port is taken: choose another with --port, or --port 0 for any free one");
  } else if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    console.error(`Cannot listen: ${message}`);
  } else {
    throw error;
  }
  process.exit(1);
}

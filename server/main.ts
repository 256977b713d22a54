#!/usr/bin/env node
/**
 * The program: config → store → hub → app → listen, and back in reverse order when it is told to
 * stop.
 */
import { createRequire } from "node:module";
import { createApp } from "./app.ts";
import { type Config, parseConfig, USAGE, UsageError } from "./config.ts";
import { METRICS_TOPIC } from "./contract.ts";
import { Hub } from "./hub.ts";
import { type Listening, listen } from "./listen.ts";
import { startMetrics } from "./sources/metrics-source.ts";
import { createSimulatedSampler } from "./sources/simulated-metrics.ts";
import { createSystemSampler } from "./sources/system-metrics.ts";
import { MemoryStore } from "./store/memory-store.ts";

const GRACE_MS = 10_000; // how long clients have to take their leave

async function main(): Promise<void> {
  const command = parseConfig({ argv: process.argv.slice(2), env: process.env });
  if (command.kind === "help") return console.log(command.text);
  if (command.kind === "version") return console.log(version());
  await serve(command.config);
}

async function serve(config: Config): Promise<void> {
  const { heartbeatMs, leaseMs, subscriptionCapacity } = config;
  const store = new MemoryStore({ historyEvents: config.historyEvents });
  const hub = new Hub(store, { limits: { heartbeatMs, leaseMs, subscriptionCapacity } });
  process.on("unhandledRejection", (error) => hub.onError(error, "unhandled rejection"));
  await hub.createTopic(METRICS_TOPIC);
  const app = createApp(hub, {
    allowOrigins: config.allowOrigins,
    metricsIntervalMs: config.metricsIntervalMs,
    publishToken: config.publishToken,
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
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require("capnweb-push/package.json") as { version: string }).version;
}

/** What went wrong in one line; a bug comes with its stack. */
function fail(error: unknown): void {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
  const { code, message, stack } = error as NodeJS.ErrnoException & Error;
  if (code === "EADDRINUSE") {
    console.error("The port is taken: choose another with --port, or --port 0 for any free one");
  } else if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    console.error(`Cannot listen: ${message}`);
  } else {
    console.error(stack);
  }
  process.exit(1);
}

main().catch(fail);

/**
 * `serve`, the default: config → store → hub → app, and the metrics that feed it. How it listens and
 * stops is in `serving.ts`.
 */
import { createApp } from "../app.ts";
import { type Config, parseConfig, USAGE } from "../config.ts";
import { METRICS_TOPIC } from "../contract.ts";
import { CHAT_LIMITS, CHAT_LOG } from "../demos/chat.ts";
import { demoRoutes } from "../demos/demos.ts";
import { Hub } from "../hub.ts";
import { createHostSampler } from "../sources/host-figures.ts";
import { startMetrics } from "../sources/metrics-source.ts";
import { createSimulatedSampler } from "../sources/simulated-metrics.ts";
import { createSystemSampler } from "../sources/system-metrics.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { serveUntilStopped, version } from "./serving.ts";

export { USAGE };

/** @param argv may begin with `serve`. @throws {UsageError} */
export async function serveCommand(argv: readonly string[]): Promise<void> {
  const command = parseConfig({ argv, env: process.env });
  if (command.kind === "help") return console.log(command.text);
  if (command.kind === "version") return console.log(version());
  await serve(command.config);
}

async function serve(config: Config): Promise<void> {
  const { heartbeatMs, leaseMs, subscriptionCapacity } = config;
  const store = new MemoryStore({ historyEvents: config.historyEvents });
  const hub = new Hub(store, { limits: { heartbeatMs, leaseMs, subscriptionCapacity } });
  await hub.createTopic(METRICS_TOPIC);
  const chatHub = new Hub(new MemoryStore(CHAT_LOG), { limits: CHAT_LIMITS, onError: hub.onError });
  const app = createApp(hub, {
    allowOrigins: config.allowOrigins,
    metricsIntervalMs: config.metricsIntervalMs,
    publishToken: config.publishToken,
    routes: (router) => demoRoutes(router, { hub, chatHub, sample: createHostSampler() }),
  });
  await serveUntilStopped(app, {
    host: config.host,
    port: config.port,
    places: [
      ["live metrics", "/static/serverpush/"],
      ["Cap'n Web", "/api"],
      ["all the rest", "/"],
    ],
    onError: hub.onError,
    start: () =>
      startMetrics({
        sample: config.metrics === "system" ? createSystemSampler() : createSimulatedSampler(),
        intervalMs: config.metricsIntervalMs,
        publish: (sample) => hub.publish(METRICS_TOPIC, sample),
        onError: hub.onError,
      }),
  });
}

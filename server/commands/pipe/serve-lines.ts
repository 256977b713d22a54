/** `pipe` without `--url`: a server of its own, with one topic that stdin feeds. */
import { createApp } from "../../app.ts";
import type { Config } from "../../config.ts";
import { Hub } from "../../hub.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { serveUntilStopped } from "../serving.ts";
import { feed } from "./feed.ts";
import type { Line, Refuse } from "./input.ts";

export interface ServeLinesOptions {
  readonly topic: string;
  readonly config: Pick<
    Config,
    "port" | "host" | "heartbeatMs" | "historyEvents" | "allowOrigins" | "publishToken"
  >;
  readonly read: (stop: AbortSignal) => AsyncIterable<Iterable<Line>>;
  readonly refuse: Refuse;
}

/** Resolves when it was told to stop and has. */
export async function serveLines(options: ServeLinesOptions): Promise<void> {
  const { topic, config, read, refuse } = options;
  const { host, port, heartbeatMs, historyEvents, allowOrigins, publishToken } = config;
  const hub = new Hub(new MemoryStore({ historyEvents }), { limits: { heartbeatMs } });
  await hub.createTopic(topic);
  const page = `/static/lines/?topic=${topic}`;
  const app = createApp(hub, { allowOrigins, publishToken, home: page });
  const publish = async (stop: AbortSignal) => {
    await feed(hub, topic, read(stop), refuse);
    if (stop.aborted) return;
    await hub.publish(topic, null, { name: "end" });
    console.log("stdin has ended: serving its history until SIGINT or SIGTERM");
  };
  await serveUntilStopped(app, {
    host,
    port,
    places: [
      ["live lines", page],
      ["the topic", `/topics/${topic}`],
      ["Cap'n Web", "/api"],
    ],
    onError: hub.onError,
    start: () => {
      const stop = new AbortController();
      const published = publish(stop.signal).catch((error: unknown) => hub.onError(error, "stdin"));
      return () => {
        stop.abort();
        return published;
      };
    },
  });
}

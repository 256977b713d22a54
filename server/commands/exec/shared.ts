/** `exec --shared`: one process for everybody, whose lines are the events of a topic. */
import { createApp } from "../../app.ts";
import type { Config } from "../../config.ts";
import { MAX_LINE_BYTES } from "../../exec/relay.ts";
import { Hub } from "../../hub.ts";
import { runShared } from "../../sources/shared-program.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { serveUntilStopped } from "../serving.ts";
import type { Start } from "./command.ts";

interface SharedOptions extends Pick<
  Config,
  "host" | "port" | "heartbeatMs" | "historyEvents" | "allowOrigins"
> {
  readonly topic: string;
}

export async function serveShared(start: Start, options: SharedOptions): Promise<void> {
  const { host, port, heartbeatMs, historyEvents, allowOrigins, topic } = options;
  const eventBytes = 6 * MAX_LINE_BYTES + 2; // as JSON, where a control character is six
  const hub = new Hub(new MemoryStore({ historyEvents }), { limits: { heartbeatMs, eventBytes } });
  await hub.createTopic(topic);
  const page = `/static/lines/?topic=${encodeURIComponent(topic)}`;
  const app = createApp(hub, { allowOrigins, home: page });
  const run = () =>
    runShared({
      start: () => start({ env: {}, input: false }),
      publish: (data, name) => hub.publish(topic, data, name === undefined ? {} : { name }),
      maxLineBytes: MAX_LINE_BYTES,
      log: (line) => console.error(line),
      onError: hub.onError,
    });
  await serveUntilStopped(app, {
    host,
    port,
    places: [
      ["its lines in a browser", page],
      ["the same for programs", `/topics/${topic}`],
    ],
    onError: hub.onError,
    start: () => {
      const shared = run();
      return () => shared.stop();
    },
  });
}

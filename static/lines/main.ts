/** A topic's newest events as lines, live; without `?topic=` the topics there are. */
import { connect, type Subscription } from "../../client/index.ts";
import { ConnectionLine } from "../shared/connection-line.ts";
import { elementById, setText } from "../shared/element.ts";
import { LineLog } from "../shared/line-log.ts";
import { linesOf } from "./event-line.ts";
import { showTopics } from "./topic-list.ts";

const BEGIN = { last: 200 };

const topic = new URLSearchParams(location.search).get("topic");
if (topic) showLines(topic);
else void showTopics(elementById("list"), elementById("problem")); // catches everything
elementById("topics").hidden = Boolean(topic);
for (const id of ["lines", "connection"]) elementById(id).hidden = !topic;

function showLines(name: string): void {
  document.title = name;
  elementById("title").textContent = name;
  const log = new LineLog(elementById("lines"));
  const connectionLine = new ConnectionLine();
  const client = connect("/");
  let subscription = read(BEGIN);

  // Some browsers keep no page with an open WebSocket; one that comes back goes on where it was.
  addEventListener("pagehide", () => {
    subscription.close();
    client.connection.close();
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    const { cursor } = subscription;
    subscription = read(cursor === undefined ? BEGIN : { after: cursor });
  });

  function read(from: { last: number } | { after: string }): Subscription {
    const reading = client.subscribe(name, {
      ...from,
      onBatch: (batch) => linesOf(batch).forEach((line) => log.add(line)),
      onEnd: showWhy,
    });
    reading.onStatus((status) => connectionLine.show(status));
    return reading;
  }
}

/** Why it cannot be read, where its lines would be; undefined when the page was left. */
function showWhy(reason: unknown): void {
  if (reason instanceof Error) setText(elementById("empty"), reason.message);
}

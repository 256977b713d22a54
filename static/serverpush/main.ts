/**
 * The page: a client that keeps itself connected, a feed that outlives its connections, and what
 * shows them. It connects and subscribes by itself, and says goodbye when it is left.
 */
import { connect } from "../../client/index.ts";
import { Buttons } from "./buttons.ts";
import { Chart } from "./chart.ts";
import { ConnectionLine } from "../shared/connection-line.ts";
import { elementById } from "../shared/element.ts";
import { showGauges } from "./gauges.ts";
import { showLegend } from "./legend.ts";
import { MetricsFeed, type Updates } from "./metrics-feed.ts";
import { Notice } from "./notice.ts";
import { SampleWindow } from "./sample-window.ts";
import { ServerClock } from "./server-clock.ts";
import { showLastUpdated, showSubscription } from "./subscription-line.ts";
import { UpdatesTable } from "./updates-table.ts";

const samples = new SampleWindow();
const clock = new ServerClock();
let pointedRow: number | undefined;

const connectionLine = new ConnectionLine();
const notice = new Notice(elementById("notice"));
const table = new UpdatesTable(elementById("updates"));
const chart = new Chart(elementById("chart"), samples, {
  now: () => clock.at(performance.now()),
  onRow: (row) => {
    pointedRow = row;
    showLegend(samples, row);
  },
});

const { api, connection } = connect("/");
const feed = new MetricsFeed(api, {
  onUpdates: showUpdates,
  onSubscription: (subscriptionId) => {
    showSubscription(subscriptionId);
    showState();
  },
  onTrouble: (message) => notice.showTrouble(message),
});
const buttons = new Buttons({
  onConnect: () => connection.open(),
  onSubscribe: () => {
    feed.subscribe();
    showState();
  },
  onUnsubscribe: () => feed.unsubscribe(),
});

connection.onStatus(showState);
connection.open();
feed.subscribe();
showState();

// A page that is left ends its subscription; one that comes back from the browser's cache goes on.
let wantedWhenLeft = false;
addEventListener("pagehide", () => {
  wantedWhenLeft = feed.wanted;
  feed.leave();
  connection.close(); // some browsers keep no page with an open WebSocket in that cache
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  connection.open();
  if (wantedWhenLeft) feed.subscribe();
  showState();
});

function showState(): void {
  const { status } = connection;
  connectionLine.show(status);
  buttons.show({ state: status.state, wanted: feed.wanted, subscribed: feed.subscribed });
  if (feed.wanted) chart.start();
  else chart.stop();
}

function showUpdates({ samples: added, missed, intervalMs }: Updates): void {
  samples.append(added, { intervalMs, afterLoss: missed !== 0 });
  const latest = added.at(-1);
  notice.showMissed(missed, samples.end ?? 0);
  if (!latest) return;
  clock.observe(samples.end ?? 0, performance.now());
  chart.update(intervalMs);
  showGauges(latest, samples);
  showLegend(samples, pointedRow);
  showLastUpdated(latest.timestamp * 1_000);
  table.add(added);
}

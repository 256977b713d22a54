/** The dashboard: one EventSource, and what it brings on cards. Open only while somebody looks. */
import { ConnectionLine } from "../shared/connection-line.ts";
import { elementById, elementIn } from "../shared/element.ts";
import { LiveStream } from "../shared/live-stream.ts";
import { timeOfDay } from "../shared/time-format.ts";
import { whileVisible } from "../shared/while-visible.ts";
import { showActivities } from "./activity-list.ts";
import { showCards } from "./cards.ts";
import { parseDashboard } from "./dashboard.ts";
import { triggerOn } from "./trigger.ts";

const SILENCE_MS = 20_000; // an update comes every few seconds

const connectionLine = new ConnectionLine();
const stream = new LiveStream("/dashboard/stream", SILENCE_MS, {
  onStatus: (status) => connectionLine.show(status, "(the browser tries again by itself)"),
  on: { message: show },
});

triggerOn(elementIn(document, "#trigger", HTMLButtonElement), elementById("triggered"));
whileVisible(
  () => stream.open(),
  () => stream.close(),
);

function show(text: string): void {
  const dashboard = parseDashboard(text);
  if (!dashboard) return;
  showCards(dashboard);
  showActivities(elementById("activities"), dashboard.activities);
  const now = Date.now();
  const updated = elementById("updated");
  updated.textContent = timeOfDay(now);
  updated.setAttribute("datetime", new Date(now).toISOString());
}

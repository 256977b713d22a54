/**
 * One topic read in six ways at once. Only while somebody looks: a browser has six HTTP/1.1
 * connections for a server, and three of these ways hold one.
 */
import { longPoll } from "../../client/transports/long-poll.ts";
import { poll } from "../../client/transports/poll.ts";
import { rpcPoll } from "../../client/transports/rpc-poll.ts";
import { rpcTail } from "../../client/transports/rpc-tail.ts";
import { sse } from "../../client/transports/sse.ts";
import { websocket } from "../../client/transports/websocket.ts";
import { METRICS_TOPIC as topic } from "../../server/contract.ts";
import { elementById, setText } from "../shared/element.ts";
import { whileVisible } from "../shared/while-visible.ts";
import { EventTimes } from "./event-times.ts";
import { durationText } from "./figures.ts";
import { Lane } from "./lane.ts";
import { ServerTime } from "./server-time.ts";

const url = new URL(`/topics/${topic}`, location.href);
const api = new URL("/api", location.href);
const clock = new ServerTime();
const shared = { clock, times: new EventTimes() };
const lanes = [
  new Lane("poll", { ...shared, makeTransport: (seen) => poll({ url, ...seen }) }),
  new Lane("long-poll", { ...shared, makeTransport: (seen) => longPoll({ url, ...seen }) }),
  new Lane("sse", { ...shared, makeTransport: (seen) => sse({ url, ...seen }) }),
  new Lane("websocket", { ...shared, makeTransport: (seen) => websocket({ url, ...seen }) }),
  new Lane("rpc-poll", {
    ...shared,
    makeTransport: (seen) => rpcPoll({ url: api, topic, ...seen }),
  }),
  new Lane("rpc-tail", {
    ...shared,
    makeTransport: (seen) => rpcTail({ url: api, topic, ...seen }),
  }),
];

const FRAME_MS = 50; // in which the charts move half a pixel, the smallest step anyone can see
const FIGURES_MS = 250;
const still = matchMedia("(prefers-reduced-motion: reduce)");
let visible = false;
let drawnAt = 0;
let figuresAt = 0;

elementById("cut-all").addEventListener("click", () => {
  for (const lane of lanes) lane.cut();
});

whileVisible(
  () => {
    visible = true;
    requestAnimationFrame(draw);
    void clock.start().then(() => {
      if (!visible) return;
      showPrecision();
      for (const lane of lanes) lane.start();
    });
  },
  () => {
    visible = false;
    clock.stop();
    for (const lane of lanes) lane.stop();
  },
);

function draw(now: number): void {
  if (!visible) return;
  requestAnimationFrame(draw);
  if (now - drawnAt >= (still.matches ? 1_000 : FRAME_MS)) {
    drawnAt = now;
    for (const lane of lanes) lane.draw();
  }
  if (now - figuresAt < FIGURES_MS) return;
  figuresAt = now;
  for (const lane of lanes) lane.showFigures();
}

function showPrecision(): void {
  const known = Number.isFinite(clock.errorMs);
  const text = known ? `, which knows it to ±${durationText(clock.errorMs)}` : "";
  setText(elementById("precision"), text);
}

/**
 * One topic read in seven ways at once. Only while somebody looks: a browser has six HTTP/1.1
 * connections for a server, and three of these ways hold one.
 */
import { elementById, setText } from "../shared/element.ts";
import { whileVisible } from "../shared/while-visible.ts";
import { EventTimes } from "./event-times.ts";
import { durationText } from "./figures.ts";
import { Lane } from "./lane.ts";
import type { Network } from "./network.ts";
import { clientOver, pollingOver } from "./readers.ts";
import { ServerTime } from "./server-time.ts";

const FIXED = ["long-poll", "sse", "websocket", "rpc-poll", "rpc-tail"] as const;

const clock = new ServerTime();
const shared = { clock, times: new EventTimes() };
const lanes = [
  new Lane("client", { ...shared, makeReader: clientOver, picks: true }),
  new Lane("poll", { ...shared, makeReader: pollingOver }),
  ...FIXED.map((name) => {
    const makeReader = (network: Network) => clientOver(network, [name]);
    return new Lane(name, { ...shared, makeReader });
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

/** A page that reads a topic with the client and draws it, as anybody's page might. */
import { connect, type ConnectionStatus, type TopicBatch } from "../../../client/index.ts";

/** What a test wants to know of it. */
export interface ReadingPage {
  /** As they came. */
  readonly offsets: number[];
  readonly gaps: unknown[];
  /** Each change of it. */
  readonly statuses: ConnectionStatus[];
  frames: number;
}

const page: ReadingPage = { offsets: [], gaps: [], statuses: [], frames: 0 };
Object.assign(globalThis, { page });

const SHOWN = 600;
let shown = Array.from({ length: SHOWN }, (_, index) => index % 100);

const topic = connect("/").subscribe("load", { after: "earliest", onBatch: take });
topic.onStatus((status) => page.statuses.push(status));

const canvas = document.body.appendChild(document.createElement("canvas"));
canvas.width = SHOWN;
const pen = canvas.getContext("2d")!;
requestAnimationFrame(draw);

function take({ events, gap }: TopicBatch): void {
  if (gap) page.gaps.push(gap);
  page.offsets.push(...events.map(({ offset }) => offset));
  shown = [...shown, ...events.map(({ data }) => Number(data))].slice(-SHOWN);
}

function draw(): void {
  requestAnimationFrame(draw);
  page.frames += 1;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.beginPath();
  for (const [x, value] of shown.entries()) pen.lineTo(x, value);
  pen.stroke();
}

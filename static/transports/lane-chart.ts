/**
 * The small chart of a transport: above, the topic's curve as far as it has arrived; below, a line for
 * each event from when it was published to when it was here. A cut is a shade, its end a fan.
 */
import { coloursOf } from "../shared/colours.ts";
import { type Deliveries, type Delivery, WINDOW_MS } from "./deliveries.ts";

const COLOURS = ["cpu", "line", "quiet", "accent", "wait", "track"] as const;
const LEFT_PX = 62; // the names of the rails
const CURVE_PX = 48;
const SENT_PX = 66;
const HERE_PX = 102;
const HEIGHT_PX = 112;

/** A time without a connection, by the server's clock. Without an end it lasts. */
export interface Outage {
  readonly from: number;
  readonly to: number | undefined;
}

export class LaneChart {
  readonly #canvas: HTMLCanvasElement;
  readonly #pen: CanvasRenderingContext2D;
  #colours: Readonly<Record<(typeof COLOURS)[number], string>>;
  #font: string;

  constructor(canvas: HTMLCanvasElement) {
    const pen = canvas.getContext("2d");
    const host = canvas.parentElement;
    if (!pen || !host) throw new Error("The page has no canvas to draw on");
    this.#canvas = canvas;
    this.#pen = pen;
    this.#colours = coloursOf(host, COLOURS);
    this.#font = `11px ${getComputedStyle(host).fontFamily}`;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = coloursOf(host, COLOURS);
    });
  }

  /** `now`: the right edge, by the server's clock. */
  draw(now: number, deliveries: Deliveries, outages: readonly Outage[]): void {
    const width = this.#fit();
    const pen = this.#pen;
    const x = (time: number) =>
      LEFT_PX + ((time - now + WINDOW_MS) / WINDOW_MS) * (width - LEFT_PX);
    pen.clearRect(0, 0, width, HEIGHT_PX);
    this.#rails(width);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT_PX, 0, width - LEFT_PX, HEIGHT_PX);
    pen.clip();
    for (const outage of outages) this.#shade(x(outage.from), x(outage.to ?? now));
    const seen = deliveries.all.filter(({ shownAt }) => shownAt > now - 2 * WINDOW_MS);
    this.#curve(seen, deliveries, x);
    this.#lines(seen, deliveries, x);
    pen.restore();
  }

  /** As sharp as the screen. */
  #fit(): number {
    const width = this.#canvas.clientWidth;
    const scale = devicePixelRatio;
    const [pixelWidth, pixelHeight] = [Math.round(width * scale), Math.round(HEIGHT_PX * scale)];
    if (this.#canvas.width !== pixelWidth || this.#canvas.height !== pixelHeight) {
      this.#canvas.width = pixelWidth;
      this.#canvas.height = pixelHeight;
    }
    this.#pen.setTransform(scale, 0, 0, scale, 0, 0);
    return width;
  }

  #rails(width: number): void {
    const pen = this.#pen;
    pen.fillStyle = this.#colours.quiet;
    pen.font = this.#font;
    pen.fillText("CPU", 0, CURVE_PX);
    pen.fillText("published", 0, SENT_PX + 4);
    pen.fillText("here", 0, HERE_PX + 4);
    pen.strokeStyle = this.#colours.line;
    pen.lineWidth = 1;
    for (const y of [SENT_PX, HERE_PX]) this.#stroke([LEFT_PX, y + 0.5], [width, y + 0.5]);
  }

  #shade(from: number, to: number): void {
    this.#pen.fillStyle = this.#colours.track;
    this.#pen.fillRect(from, SENT_PX, to - from, HERE_PX - SENT_PX);
  }

  #curve(seen: readonly Delivery[], deliveries: Deliveries, x: (time: number) => number): void {
    const pen = this.#pen;
    pen.strokeStyle = this.#colours.cpu;
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.beginPath();
    for (const delivery of seen) {
      const publishedAt = deliveries.publishedAt(delivery);
      if (publishedAt === undefined || delivery.value === undefined) continue;
      const height = Math.min(100, Math.max(0, delivery.value)) / 100;
      pen.lineTo(x(publishedAt), CURVE_PX - height * (CURVE_PX - 4));
    }
    pen.stroke();
  }

  #lines(seen: readonly Delivery[], deliveries: Deliveries, x: (time: number) => number): void {
    const pen = this.#pen;
    for (const late of [false, true]) {
      const colour = late ? this.#colours.wait : this.#colours.accent;
      const dots = new Path2D();
      const lines = new Path2D();
      for (const delivery of seen) {
        const publishedAt = deliveries.publishedAt(delivery);
        if (publishedAt === undefined || deliveries.isLate(delivery) !== late) continue;
        if (deliveries.isHistory(delivery)) continue;
        const here = x(delivery.shownAt);
        lines.moveTo(x(publishedAt), SENT_PX);
        lines.lineTo(here, HERE_PX);
        dots.moveTo(here, HERE_PX);
        dots.arc(here, HERE_PX, 2, 0, 2 * Math.PI);
      }
      pen.strokeStyle = colour;
      pen.fillStyle = colour;
      pen.lineWidth = 1.25;
      pen.stroke(lines);
      pen.fill(dots);
    }
  }

  #stroke([fromX, fromY]: [number, number], [toX, toY]: [number, number]): void {
    this.#pen.beginPath();
    this.#pen.moveTo(fromX, fromY);
    this.#pen.lineTo(toX, toY);
    this.#pen.stroke();
  }
}

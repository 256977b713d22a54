/**
 * One way on the page: reads the topic for as long as somebody looks, counts what it costs and
 * how late it is, can be cut, and tells what the cut has cost: nothing, if all is well.
 */
import { cursorAt, cursorBefore, epochOf, offsetOf } from "../../client/cursor.ts";
import type { ConnectionStatus, Subscription, TopicBatch } from "../../client/index.ts";
import { STATE_LABELS } from "../shared/connection-line.ts";
import { Deliveries } from "./deliveries.ts";
import type { EventTimes } from "./event-times.ts";
import { LaneChart, type Outage } from "./lane-chart.ts";
import { type LaneState, LaneView } from "./lane-view.ts";
import { Network } from "./network.ts";
import type { Reader } from "./readers.ts";
import type { ServerTime } from "./server-time.ts";
import { Tally } from "./tally.ts";

export interface LaneOptions {
  readonly clock: ServerTime;
  readonly times: EventTimes;
  readonly makeReader: (network: Network) => Reader;
  /** It picks its transport by itself, so the card says which. */
  readonly picks?: boolean;
}

const CUT_MS = 5_000;
const HISTORY = 30; // events that the curve begins with
const OUTAGES = 20;

export class Lane {
  readonly #clock: ServerTime;
  readonly #times: EventTimes;
  readonly #network = new Network();
  readonly #reader: Reader;
  readonly #picks: boolean;
  readonly #view: LaneView;
  readonly #chart: LaneChart;
  readonly #deliveries: Deliveries;
  readonly #tally = new Tally();
  #status: ConnectionStatus = { state: "connecting", message: "" };
  #running: Subscription | undefined;
  #cursor: string | undefined;
  #connectedAt = Number.POSITIVE_INFINITY;
  #outages: Outage[] = [];
  #mendTimer: ReturnType<typeof setTimeout> | undefined;
  #mendAt = 0;

  /** `id`: of its card on the page. */
  constructor(id: string, { clock, times, makeReader, picks = false }: LaneOptions) {
    this.#clock = clock;
    this.#times = times;
    this.#deliveries = new Deliveries(times);
    this.#reader = makeReader(this.#network);
    this.#picks = picks;
    this.#view = new LaneView(id, () => this.#press());
    this.#chart = new LaneChart(this.#view.canvas);
  }

  /** Goes on after the last cursor, or begins with the newest events. */
  start(): void {
    if (this.#running) return;
    const from = this.#cursor === undefined ? { last: HISTORY } : { after: this.#cursor };
    const subscription = this.#reader.subscribe(from);
    this.#running = subscription;
    subscription.onStatus((status) => {
      if (this.#running === subscription) this.#setStatus(status);
    });
    void this.#read(subscription); // catches everything
  }

  /** Callable twice. */
  stop(): void {
    const subscription = this.#running;
    this.#running = undefined;
    subscription?.close();
    this.#reader.rest();
    this.#mend();
    this.#setStatus({ state: "connecting", message: "" });
  }

  cut(): void {
    if (!this.#running || this.#network.isCut) return;
    this.#tally.cut(this.#deliveries.countLate());
    this.#network.cut();
    this.#wayEnds();
    this.#mendAt = performance.now() + CUT_MS;
    this.#mendTimer = setTimeout(() => this.#mend(), CUT_MS);
  }

  draw(): void {
    this.#chart.draw(this.#clock.now(), this.#deliveries, this.#outages);
  }

  showFigures(): void {
    const { requests, bytes } = this.#network;
    const { events, missed } = this.#tally;
    const ms = this.#deliveries.medianDelay();
    const delay = ms === undefined ? undefined : { ms, errorMs: this.#clock.errorMs };
    this.#view.figures({ requests, bytes, events, delay, missed });
    this.#view.state(this.#stateNow());
  }

  #press(): void {
    if (this.#network.isCut) this.#mend();
    else if (this.#running) this.cut();
    else {
      this.#cursor = undefined; // going on there is what has failed
      this.start();
    }
    this.showFigures();
  }

  #mend(): void {
    clearTimeout(this.#mendTimer);
    const { isCut } = this.#network;
    this.#network.mend();
    // Polling has noticed nothing when the cut fell between two questions.
    if (isCut && this.#status.state === "connected") this.#wayOpens();
  }

  async #read(subscription: Subscription): Promise<void> {
    try {
      for await (const batch of subscription) this.#take(batch);
    } catch {
      // The status has told why. It has ended for good, so the button starts it again.
      if (this.#running === subscription) this.#running = undefined;
    }
  }

  #setStatus(status: ConnectionStatus): void {
    const wasConnected = this.#status.state === "connected";
    this.#status = status;
    if (status.state === "connected") this.#wayOpens();
    else if (wasConnected) this.#wayEnds();
  }

  #wayOpens(): void {
    const now = this.#clock.now();
    this.#connectedAt = now;
    this.#outages = this.#outages.map((outage) => ({ ...outage, to: outage.to ?? now }));
  }

  #wayEnds(): void {
    const last = this.#outages.at(-1);
    if (last && last.to === undefined) return; // it has ended already
    const outage = { from: this.#clock.now(), to: undefined };
    this.#outages = [...this.#outages, outage].slice(-OUTAGES);
  }

  #take(batch: TopicBatch): void {
    const shownAt = this.#clock.now();
    const epoch = epochOf(batch.cursor);
    const begin = offsetOf(cursorBefore(batch));
    if (this.#cursor === undefined) this.#tally.begin(epoch, begin);
    if (batch.gap) this.#tally.gap(epoch, begin, batch.gap.missed);
    for (const { offset, time, data } of batch.events) {
      const cursor = cursorAt(batch.cursor, offset);
      if (time !== undefined) this.#times.learn(cursor, time);
      this.#tally.event(epoch, offset);
      const value = cpuOf(data);
      this.#deliveries.add({ cursor, shownAt, value, connectedAt: this.#connectedAt });
    }
    this.#cursor = batch.cursor;
  }

  #stateNow(): LaneState {
    const { state, message } = this.#status;
    const story = this.#tally.story(this.#deliveries.countLate());
    if (this.#network.isCut) {
      const seconds = Math.ceil(Math.max(0, this.#mendAt - performance.now()) / 1_000);
      return {
        state: "reconnecting",
        label: "Cut",
        message: `comes back in ${seconds} s`,
        story: "What it misses waits in the topic’s log.",
        button: "Reconnect",
      };
    }
    return {
      state,
      label: STATE_LABELS[state],
      message: state === "connected" ? this.#place() : message,
      story: state === "connected" ? story : "",
      button: this.#running ? "Cut" : "Start again",
    };
  }

  #place(): string {
    if (this.#cursor === undefined) return "";
    const way = this.#picks ? `over ${this.#status.transport}, ` : "";
    return `${way}at event ${offsetOf(this.#cursor)}`;
  }
}

/** The topic is the metrics; of any other, there is no curve. */
function cpuOf(data: unknown): number | undefined {
  const cpu = (data as { cpuUsage?: unknown } | null)?.cpuUsage;
  return typeof cpu === "number" ? cpu : undefined;
}

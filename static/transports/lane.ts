/**
 * One transport on the page: reads the topic for as long as somebody looks, counts what it costs and
 * how late it is, can be cut, and tells what the cut has cost: nothing, if all is well.
 */
import { cursorAt, cursorBefore, epochOf, offsetOf } from "../../client/cursor.ts";
import type { ConnectionStatus } from "../../client/connection.ts";
import { resume } from "../../client/resume.ts";
import type { TopicBatch, TrafficObserver, Transport } from "../../client/transport.ts";
import { STATE_LABELS } from "../shared/connection-line.ts";
import { Cuttable } from "./cuttable.ts";
import { Deliveries } from "./deliveries.ts";
import type { EventTimes } from "./event-times.ts";
import { LaneChart, type Outage } from "./lane-chart.ts";
import { type LaneState, LaneView } from "./lane-view.ts";
import type { ServerTime } from "./server-time.ts";
import { Tally } from "./tally.ts";

export interface LaneOptions {
  readonly clock: ServerTime;
  readonly times: EventTimes;
  readonly makeTransport: (observer: TrafficObserver) => Transport;
}

const CUT_MS = 5_000;
const HISTORY = 30; // events that the curve begins with
const OUTAGES = 20;

export class Lane {
  readonly #clock: ServerTime;
  readonly #times: EventTimes;
  readonly #transport: Cuttable;
  readonly #view: LaneView;
  readonly #chart: LaneChart;
  readonly #deliveries: Deliveries;
  readonly #tally = new Tally();
  #status: ConnectionStatus = { state: "connecting", message: "" };
  #running: AbortController | undefined;
  #cursor: string | undefined;
  #connectedAt = Number.POSITIVE_INFINITY;
  #outages: Outage[] = [];
  #mendTimer: ReturnType<typeof setTimeout> | undefined;
  #mendAt = 0;

  /** `id`: of its card on the page. */
  constructor(id: string, { clock, times, makeTransport }: LaneOptions) {
    this.#clock = clock;
    this.#times = times;
    this.#deliveries = new Deliveries(times);
    this.#transport = new Cuttable(
      makeTransport({
        onRequest: () => (this.#tally.requests += 1),
        onBytes: (bytes) => (this.#tally.bytes += bytes),
      }),
    );
    this.#view = new LaneView(id, () => this.#press());
    this.#chart = new LaneChart(this.#view.canvas);
  }

  /** Goes on after the last cursor, or begins with the newest events. */
  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#read(this.#running.signal); // catches everything
  }

  /** Callable twice. */
  stop(): void {
    if (!this.#running) return;
    this.#running.abort();
    this.#running = undefined;
    this.#mend();
    this.#setStatus({ state: "connecting", message: "" }); // nothing is heard of a reading that ended
  }

  cut(): void {
    if (!this.#running || this.#transport.isCut) return;
    this.#tally.cut(this.#deliveries.countLate());
    this.#transport.cut();
    this.#mendAt = performance.now() + CUT_MS;
    this.#mendTimer = setTimeout(() => this.#mend(), CUT_MS);
  }

  draw(): void {
    this.#chart.draw(this.#clock.now(), this.#deliveries, this.#outages);
  }

  showFigures(): void {
    const { requests, bytes, events, missed } = this.#tally;
    const ms = this.#deliveries.medianDelay();
    const delay = ms === undefined ? undefined : { ms, errorMs: this.#clock.errorMs };
    this.#view.figures({ requests, bytes, events, delay, missed });
    this.#view.state(this.#stateNow());
  }

  #press(): void {
    if (this.#transport.isCut) this.#mend();
    else if (this.#running) this.cut();
    else {
      this.#cursor = undefined; // going on there is what has failed
      this.start();
    }
    this.showFigures();
  }

  #mend(): void {
    clearTimeout(this.#mendTimer);
    this.#transport.mend();
  }

  async #read(signal: AbortSignal): Promise<void> {
    const from = this.#cursor === undefined ? { last: HISTORY } : { after: this.#cursor };
    const onStatus = (status: ConnectionStatus) => this.#setStatus(status);
    try {
      for await (const batch of resume(this.#transport, from, { signal, onStatus })) {
        this.#take(batch);
      }
    } catch {
      // The status has told why. It has ended for good, so the button starts it again.
      if (this.#running?.signal === signal) this.#running = undefined;
    }
  }

  #setStatus(status: ConnectionStatus): void {
    const wasConnected = this.#status.state === "connected";
    this.#status = status;
    const now = this.#clock.now();
    if (status.state === "connected") {
      this.#connectedAt = now;
      this.#outages = this.#outages.map((outage) => ({ ...outage, to: outage.to ?? now }));
    } else if (wasConnected) {
      this.#outages = [...this.#outages, { from: now, to: undefined }].slice(-OUTAGES);
    }
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
    if (this.#transport.isCut) {
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
    return this.#cursor === undefined ? "" : `at event ${offsetOf(this.#cursor)}`;
  }
}

/** The topic is the metrics; of any other, there is no curve. */
function cpuOf(data: unknown): number | undefined {
  const cpu = (data as { cpuUsage?: unknown } | null)?.cpuUsage;
  return typeof cpu === "number" ? cpu : undefined;
}

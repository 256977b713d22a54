/** The dashboard: the state of the host every few seconds, the same for everybody. */
import type { ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import type { Hub } from "../hub.ts";
import { type Activity, activity, dashboardJson, type Figures } from "./dashboard-json.ts";
import { repeat } from "./repeat.ts";
import { Sequence } from "./sequence.ts";
import { streamStates } from "./state-stream.ts";

export interface DashboardOptions {
  /** Measures the host. Calls do not overlap. */
  sample: () => Promise<Figures>;
  intervalMs: number;
}

const TOPIC = "dashboard";
const ACTIVITIES = 10; // the newest

export class Dashboard {
  readonly #hub: Hub;
  readonly #options: DashboardOptions;
  readonly #updates = new Sequence();
  #activities: readonly Activity[] = [];
  #connections = 0;

  constructor(hub: Hub, options: DashboardOptions) {
    this.#hub = hub;
    this.#options = options;
  }

  /** How many read `/dashboard/stream`. */
  get connections(): number {
    return this.#connections;
  }

  /** @returns stops it */
  start(): () => void {
    return repeat(() => this.#update(), {
      intervalMs: this.#options.intervalMs,
      onError: (error) => this.#hub.onError(error, "dashboard"),
    });
  }

  /** Resolves when the response has begun. @throws {PushError} what `hub.subscribe` throws */
  async stream(response: ServerResponse): Promise<void> {
    await this.#hub.createTopic(TOPIC);
    const onClose = () => this.#count(-1, activity("Client left"));
    // The heartbeat is steady, because between two updates there never is a silence.
    await streamStates(response, this.#hub, { topic: TOPIC, steadyHeartbeat: true, onClose });
    this.#count(1, activity("Client connected", "success"));
  }

  /** One more update for everybody. @returns how many clients it is for */
  async trigger(): Promise<number> {
    this.#note(activity("Test triggered", "warning"));
    await this.#update();
    return this.#connections;
  }

  #count(difference: number, news: Activity): void {
    this.#connections += difference;
    this.#note(news);
  }

  #note(news: Activity): void {
    this.#activities = [news, ...this.#activities].slice(0, ACTIVITIES - 1);
  }

  /** One after the other, because the figures are rates since those before. */
  #update(): Promise<void> {
    return this.#updates.add(() => this.#publish());
  }

  async #publish(): Promise<void> {
    const figures = await this.#options.sample();
    const at = new Date();
    const measured = { figures, at, responseMs: await loopTime() };
    const activities = [activity("Dashboard updated"), ...this.#activities];
    await this.#hub.publish(TOPIC, dashboardJson(measured, activities));
  }
}

/** One turn of the event loop, in milliseconds: what every request waits for its answer at least. */
async function loopTime(): Promise<number> {
  await turn();
  const began = performance.now();
  await turn();
  return performance.now() - began;
}

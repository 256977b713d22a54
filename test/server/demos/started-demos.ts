/** The demos in this process, with small intervals and limits where a test needs them. */
import { onTestFinished } from "vitest";
import { type App, createApp } from "../../../server/app.ts";
import { CHAT_LIMITS, CHAT_LOG } from "../../../server/demos/chat.ts";
import type { Figures } from "../../../server/demos/dashboard-json.ts";
import { type DemoOptions, demoRoutes } from "../../../server/demos/demos.ts";
import { Hub } from "../../../server/hub.ts";
import type { Limits } from "../../../server/limits.ts";
import { listen } from "../../../server/listen.ts";
import { MemoryStore, type MemoryStoreOptions } from "../../../server/store/memory-store.ts";
import { makeSlowStore } from "../../support/slow-store.ts";

export interface Demos {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly hub: Hub;
  readonly chatHub: Hub;
  readonly app: App;
  /** What reached `onError`. */
  readonly errors: unknown[];
}

interface StartOptions extends Partial<Omit<DemoOptions, "hub" | "chatHub">> {
  limits?: Partial<Limits>;
  chatLimits?: Partial<Limits>;
  /** Both stores answer by promise, as Redis would. */
  slowStores?: boolean;
}

export const FIGURES: Figures = {
  uptimeSeconds: (2 * 24 + 14) * 3600 + 59,
  cpuPercent: 45.4,
  memoryPercent: 66.6,
  diskPercent: 23,
  networkMbps: 125.3,
};

/** Ended with the test. */
export async function startedDemos({
  limits = {},
  chatLimits = {},
  slowStores = false,
  sample = () => Promise.resolve(FIGURES),
  ...intervals
}: StartOptions = {}): Promise<Demos> {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const makeStore = (options: MemoryStoreOptions) =>
    slowStores ? makeSlowStore(options) : new MemoryStore(options);
  const hub = new Hub(makeStore({}), { limits, onError });
  const chatHub = new Hub(makeStore(CHAT_LOG), {
    limits: { ...CHAT_LIMITS, ...chatLimits },
    onError,
  });
  const app = createApp(hub, {
    routes: (router) => demoRoutes(router, { hub, chatHub, sample, ...intervals }),
  });
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    const closed = server.close({ graceMs: 0 });
    await app.close();
    await closed;
  });
  return { url: `http://127.0.0.1:${server.port}`, hub, chatHub, app, errors };
}

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { onWake } from "../../client/on-wake.ts";

const LOOK_MS = 5_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function waking() {
  const state = { wakes: 0, stop: () => {} };
  state.stop = onWake(() => (state.wakes += 1));
  return state;
}

/** The machine sleeps: its clock goes on, its timers do not. */
function sleep(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

describe("onWake", () => {
  it("finds that the machine has slept, once for each sleep", () => {
    const state = waking();
    vi.advanceTimersByTime(100 * LOOK_MS);
    expect(state.wakes).toBe(0);
    sleep(60_000);
    vi.advanceTimersByTime(LOOK_MS);
    expect(state.wakes).toBe(1);
    vi.advanceTimersByTime(100 * LOOK_MS);
    expect(state.wakes).toBe(1);
    sleep(15_001);
    vi.advanceTimersByTime(LOOK_MS);
    expect(state.wakes).toBe(2);
    state.stop();
  });

  it("takes a busy machine, or a clock set back, for no sleep", () => {
    const state = waking();
    sleep(15_000);
    vi.advanceTimersByTime(LOOK_MS);
    sleep(-3_600_000);
    vi.advanceTimersByTime(LOOK_MS);
    expect(state.wakes).toBe(0);
    state.stop();
  });

  it("tells nothing after it was stopped, and leaves no timer", () => {
    const state = waking();
    expect(vi.getTimerCount()).toBe(1);
    state.stop();
    state.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not keep a program alive", () => {
    vi.useRealTimers();
    const unref = vi.spyOn(
      Object.getPrototypeOf(setInterval(() => {}, 1).unref()) as NodeJS.Timeout,
      "unref",
    );
    waking().stop();
    expect(unref).toHaveBeenCalledOnce();
    unref.mockRestore();
  });
});

describe("onWake in a page", () => {
  /** As much of a page as it listens to. */
  function page() {
    const window = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", document);
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    const show = (visibilityState: string) => {
      document.visibilityState = visibilityState;
      document.dispatchEvent(new Event("visibilitychange"));
    };
    return { online: () => window.dispatchEvent(new Event("online")), show };
  }

  it("hears that the network is back, and that the page is seen again", () => {
    const { online, show } = page();
    const state = waking();
    online();
    expect(state.wakes).toBe(1);
    show("hidden");
    expect(state.wakes).toBe(1);
    show("visible");
    expect(state.wakes).toBe(2);
    state.stop();
    online();
    show("visible");
    expect(state.wakes).toBe(2);
  });
});

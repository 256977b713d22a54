/**
 * The server's clock, read as Cristian did (1989): ask for the time, and what comes back was true at
 * some moment of the waiting. Where all those moments overlap is what is known (Marzullo 1984).
 */
const AGAIN_MS = 60_000; // clocks drift apart by some milliseconds a minute at most
const ASKED = 6;

/** By how much the server's clock is ahead of `performance.now()`: not less, not more. */
interface Bounds {
  readonly low: number;
  readonly high: number;
}

export class ServerTime {
  #aheadMs = performance.timeOrigin; // this machine's own clock, until the server has answered
  #errorMs = Number.POSITIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;

  /** Milliseconds since the Unix epoch by the server's clock. */
  now(): number {
    return performance.now() + this.#aheadMs;
  }

  /** By how much `now()` may be wrong, either way. */
  get errorMs(): number {
    return this.#errorMs;
  }

  /** Resolves after the first look at the server's clock, also when there is none. */
  async start(): Promise<void> {
    this.stop();
    this.#running = new AbortController();
    await this.#measure(this.#running.signal);
  }

  /** Keeps the time it has. Callable twice. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
  }

  async #measure(signal: AbortSignal): Promise<void> {
    let known: Bounds | undefined;
    for (let asked = 0; asked < ASKED && !signal.aborted; asked += 1) {
      const answer = await ask(signal).catch(() => undefined);
      if (answer) known = overlap(answer, known);
    }
    if (signal.aborted) return;
    if (known) {
      this.#aheadMs = (known.low + known.high) / 2;
      this.#errorMs = (known.high - known.low) / 2;
    }
    this.#timer = setTimeout(() => void this.#measure(signal), AGAIN_MS);
  }
}

/** If they do not overlap, one of the clocks was set meanwhile, and the newer answer counts. */
function overlap(newer: Bounds, older: Bounds = newer): Bounds {
  const low = Math.max(newer.low, older.low);
  const high = Math.min(newer.high, older.high);
  return low <= high ? { low, high } : newer;
}

/** One look at `/api/time`, whose first event comes at once. */
async function ask(signal: AbortSignal): Promise<Bounds> {
  const enough = new AbortController();
  const stop = () => enough.abort();
  signal.addEventListener("abort", stop);
  try {
    const askedAt = performance.now();
    const response = await fetch("/api/time", { signal: enough.signal, cache: "no-store" });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const part = await reader?.read();
      const answeredAt = performance.now();
      text += part?.value ?? "";
      const time = /^data: ?"(.+)"$/m.exec(text)?.[1];
      if (time !== undefined) {
        const told = Date.parse(time); // in whole milliseconds, the rest cut off
        return { low: told - answeredAt, high: told + 1 - askedAt };
      }
      if (!part || part.done) throw new Error("The server has told no time");
    }
  } finally {
    signal.removeEventListener("abort", stop);
    enough.abort(); // it would go on each second
  }
}

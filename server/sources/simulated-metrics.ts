/**
 * Figures that look like a server at work, for demos and tests. The same seed gives the same
 * sequence, whatever the clock: each call is one step of a walk that is pulled back to its mean.
 */
import { rounded, within } from "./figures.ts";
import type { MetricsSampler } from "./metrics-sampler.ts";

const BURST_CHANCE = 1 / 45; // per sample: at one a second, most minutes have one
const BURST_FADE = 0.82; // per sample: half is gone after 3½

interface SimulatedSamplerOptions {
  /** Any number; its lowest 32 bits count. By default another one each time. */
  readonly seed?: number;
  /** Milliseconds since the Unix epoch, for the timestamp. */
  readonly now?: () => number;
}

export function createSimulatedSampler({
  seed = Math.random() * 2 ** 32,
  now = Date.now,
}: SimulatedSamplerOptions = {}): MetricsSampler {
  const random = mulberry32(seed);
  const noise = () => random() + random() - 1; // -1 to 1, around 0 more often
  let load = 22; // percent: the quiet work, seen by CPU and network
  let burst = 0; // percent on top of it, seen by both
  let memory = 57; // percent: slow, and follows neither

  return () => {
    load = within(2, 60, load + 0.12 * (22 - load) + 8 * noise());
    memory = within(35, 85, memory + 0.02 * (57 - memory) + 0.5 * noise());
    burst = random() < BURST_CHANCE ? 30 + 45 * random() : burst * BURST_FADE;
    const cpu = load + burst + 3 * noise();
    const network = ((load + burst) / 12) * Math.exp(0.5 * noise()); // never negative
    return Promise.resolve({
      cpuUsage: rounded(within(0, 100, cpu)),
      memoryUsage: rounded(memory),
      networkIO: rounded(network),
      timestamp: Math.floor(now() / 1000),
    });
  };
}

/**
 * Numbers from 0 to below 1: mulberry32 by Tommy Ettinger (public domain). 32 bits of state, far
 * from secure, but the same on every machine, and a few lines.
 */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

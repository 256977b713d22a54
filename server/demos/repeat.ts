/** Does one thing at once and then at every interval, never twice at the same time. */
import { PushError } from "../errors.ts";

export interface RepeatOptions {
  intervalMs: number;
  /** Told when failing begins, not at every interval; the next attempt is made all the same. */
  onError: (error: unknown) => void;
}

/** @returns stops it; may be called twice */
export function repeat(work: () => unknown, { intervalMs, onError }: RepeatOptions): () => void {
  let busy = false;
  let failing = false;
  const attempt = async () => {
    if (busy) return;
    busy = true;
    try {
      await work();
      failing = false;
    } catch (error) {
      if (!failing && !isStopping(error)) onError(error);
      failing = true;
    }
    busy = false;
  };
  void attempt();
  const timer = setInterval(() => void attempt(), intervalMs).unref();
  return () => clearInterval(timer);
}

/** The hub closes before those who publish to it; that is no failure. */
export function isStopping(error: unknown): boolean {
  return error instanceof PushError && error.code === "shutting_down";
}

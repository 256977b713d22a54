/**
 * Tells when trying again, or asking whether the server is still there, is worth it before its time:
 * the network is back, the user is back, or the machine has slept. Browser and Node.
 */

const LOOK_MS = 5_000; // how often the time is looked at
const SLEPT_MS = 15_000; // later than planned by so much: a machine is never that busy

/** @returns the function that stops it */
export function onWake(callback: () => void): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  if (typeof document !== "undefined") {
    addEventListener("online", callback, { signal });
    const onChange = () => {
      if (document.visibilityState === "visible") callback();
    };
    document.addEventListener("visibilitychange", onChange, { signal });
  }
  // The time of day, because the monotonic clock of some systems stands still in a sleep.
  let looked = Date.now();
  const timer: ReturnType<typeof setInterval> & { unref?: () => void } = setInterval(() => {
    const slept = Date.now() - looked - LOOK_MS;
    looked = Date.now();
    if (slept > SLEPT_MS) callback();
  }, LOOK_MS);
  timer.unref?.(); // in Node it must not keep a program alive
  return () => {
    stop.abort();
    clearInterval(timer);
  };
}

/**
 * Tells when trying again is worth it before its time: the network is back, or the user is. Outside
 * a browser there is nothing to tell.
 */
export function onBrowserWake(callback: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  addEventListener("online", callback, { signal });
  document.addEventListener(
    "visibilitychange",
    () => {
      if (document.visibilityState === "visible") callback();
    },
    { signal },
  );
  return () => stop.abort();
}

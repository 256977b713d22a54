/**
 * Runs something only while somebody can see the page. A hidden tab that holds a connection takes
 * one of the six that a browser has for a server over HTTP/1.1, and draws for nobody.
 */
export function whileVisible(start: () => void, stop: () => void): void {
  let running = false;
  const look = (left: boolean) => {
    const wanted = document.visibilityState === "visible" && !left;
    if (wanted === running) return;
    running = wanted;
    if (wanted) start();
    else stop();
  };
  document.addEventListener("visibilitychange", () => look(false));
  addEventListener("pagehide", () => look(true));
  addEventListener("pageshow", () => look(false)); // also one that comes back from the browser's cache
  look(false);
}

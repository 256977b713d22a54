/** Counts, inside a page, how often its lines are changed, and whether in a frame. */
export interface Drawings {
  inFrames: number;
  elsewhere: number;
  frames: number;
}

/** For `page.addInitScript`, so it uses nothing from here. What it counts is `globalThis.drawings`. */
export function countDrawings(): void {
  const drawings: Drawings = { inFrames: 0, elsewhere: 0, frames: 0 };
  Object.assign(globalThis, { drawings });
  const request = requestAnimationFrame.bind(globalThis);
  let time = -1;
  let inFrame = false;
  globalThis.requestAnimationFrame = (callback) =>
    request((now) => {
      if (now !== time) drawings.frames += 1;
      time = now;
      inFrame = true;
      callback(now);
      queueMicrotask(() => (inFrame = false)); // after the observer's
    });
  const observer = new MutationObserver(() => {
    if (inFrame) drawings.inFrames += 1;
    else drawings.elsewhere += 1;
  });
  addEventListener("DOMContentLoaded", () => {
    observer.observe(document.querySelector("#log ol")!, { childList: true });
  });
}

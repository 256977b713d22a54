/** What is asked of every page, and how long it may take on a busy machine. */
import { source as axeSource } from "axe-core";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

export const POLL = { timeout: 30_000, interval: 100 }; // each look costs three processes some time
export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 900 };

/** Resolves when it reads like this. */
export async function reads(locator: Locator, text: string | RegExp): Promise<void> {
  const words = expect.poll(() => locator.innerText(), POLL);
  if (typeof text === "string") await words.toBe(text);
  else await words.toMatch(text);
}

/** Resolves when it reads different from now. */
export async function changes(locator: Locator): Promise<void> {
  const before = await locator.innerText();
  await expect.poll(() => locator.innerText(), POLL).not.toBe(before);
}

/** What axe-core objects to, by rule and element. */
export async function violations(page: Page): Promise<string[]> {
  // Once for each document: half a megabyte of source takes longer to compile than to run.
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
    const results = await axe.run({ resultTypes: ["violations"] }); // of what passes, no details
    return results.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target }) => `${id}: ${target.join(" ")}`),
    );
  });
}

/** Whether nothing sticks out to the right. */
export function widths(page: Page): Promise<{ scrollWidth: number; clientWidth: number }> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });
}

/** Makes the page believe that its tab is hidden, or to be seen again. */
export function setVisibility(page: Page, state: "hidden" | "visible"): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}

/** Whether nothing sticks out to the right, also when the window becomes this wide. */
export async function fits(page: Page, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  // What is drawn to measure follows a frame later.
  await expect.poll(() => widths(page), POLL).toEqual({ scrollWidth: width, clientWidth: width });
}

/** Presses Tab until this has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  const focused = () =>
    page.evaluate(() => {
      const { ariaLabel, textContent } = document.activeElement ?? {};
      return ariaLabel ?? textContent?.trim();
    });
  for (let tabs = 0; tabs < 60; tabs += 1) {
    await page.keyboard.press("Tab");
    if ((await focused()) === name) return;
  }
  throw new Error(`Nothing called ${name} can be reached by Tab`);
}

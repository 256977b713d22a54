/** What is asked of a page in both themes, on a desktop and on a phone, with work going on. */
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import { openPage } from "./open-page.ts";
import { DESKTOP, PHONE, violations, widths } from "./page-checks.ts";

export const LOOKS = [
  { colorScheme: "light", viewport: DESKTOP },
  { colorScheme: "dark", viewport: PHONE },
  { colorScheme: "light", viewport: { width: 320, height: 600 } },
] as const;

/** `work`: brings the page to where it is worth looking at. */
export async function looksGood(
  browser: Browser,
  url: string,
  { colorScheme, viewport }: (typeof LOOKS)[number],
  work: (page: Page) => Promise<void>,
): Promise<void> {
  const { page, addresses, problems } = await openPage(browser, url, { colorScheme, viewport });
  expect(await violations(page)).toEqual([]);
  await work(page);
  expect(await violations(page)).toEqual([]);
  const { width } = viewport;
  expect(await widths(page)).toEqual({ scrollWidth: width, clientWidth: width });
  const hosts = new Set(addresses.map((address) => new URL(address).host));
  expect([...hosts]).toEqual([new URL(url).host]);
  expect(problems).toEqual([]);
  const name = `${/\/static\/(\w+)/.exec(url)?.[1] ?? "exec"}-${colorScheme}-${width}`;
  await page.screenshot({ path: `test-results/${name}.png` });
}

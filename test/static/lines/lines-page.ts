/** The page of a topic's lines, and the server whose topic it shows. */
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";
import type { LocalServer, LocalServerOptions } from "../../support/server.ts";
import { startedLocal } from "../../support/server.ts";
import { openPage } from "../open-page.ts";
import { POLL, reads } from "../page-checks.ts";

export const TOPIC = "log";

export const startServer = (options: LocalServerOptions = {}) =>
  startedLocal({ topics: [TOPIC], ...options, app: { pages: "dist/static" } });

export const pageOf = ({ url }: { url: string }, topic = TOPIC) =>
  `${url}/static/lines/?${new URLSearchParams({ topic })}`;

export const rows = (page: Page) => page.locator("#log li");
export const texts = (page: Page) => page.locator("#log li p").allInnerTexts();
export const state = (page: Page) => page.locator("#connection-state");
export const newest = (page: Page) => page.getByRole("button", { name: /^Newest/ });

export const shows = (page: Page, ...expected: string[]) =>
  expect.poll(() => texts(page), POLL).toEqual(expected);

export const ends = (page: Page, text: string) =>
  expect.poll(() => texts(page).then((all) => all.at(-1)), POLL).toBe(text);

/** `line 1`, `line 2` …, from one number to another. */
export const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`);

export async function publish({ hub }: LocalServer, lines: readonly unknown[]): Promise<void> {
  for (const line of lines) await hub.publish(TOPIC, line);
}

/** How far the end is below what is to be seen. */
export const pixelsBelow = (page: Page) =>
  page.locator("#log").evaluate((log) => log.scrollHeight - log.clientHeight - log.scrollTop);

export const scrollTo = (page: Page, top: number) =>
  page.locator("#log").evaluate((log, place) => log.scrollTo(0, place), top);

export const scrollUp = (page: Page) =>
  page.locator("#log").evaluate((log) => log.scrollBy(0, -60));

/** The page, at work. */
export async function opened(browser: Browser, server: { url: string }): Promise<Page> {
  const { page } = await openPage(browser, pageOf(server));
  await reads(state(page), "Connected");
  return page;
}

/** The developer tools' console of a page: what is typed there, and what is logged. */
import type { Page } from "playwright-core";
import { until } from "../support/until.ts";

export interface Console {
  /** Runs it as the console does: what is declared stays, and no policy of the page stops it. */
  enter(code: string): Promise<void>;
  /** What was logged, each line's arguments as JSON; of an event its type and data. */
  readonly logged: unknown[][];
  /** The first lines that were logged, as soon as there are so many. */
  first(count: number): Promise<unknown[][]>;
}

export async function consoleOf(page: Page): Promise<Console> {
  const session = await page.context().newCDPSession(page);
  const logged: unknown[][] = [];
  page.on("console", (line) => {
    const row: unknown[] = [];
    logged.push(row);
    const values = line.args().map((arg) =>
      arg.evaluate((value: unknown) => {
        if (!(value instanceof MessageEvent)) return value;
        return { type: value.type, data: value.data as unknown };
      }),
    );
    Promise.all(values).then(
      (all) => row.push(...all),
      () => {}, // the page has gone
    );
  });
  return {
    logged,
    enter: async (expression) => {
      const { exceptionDetails } = await session.send("Runtime.evaluate", {
        expression,
        replMode: true,
      });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description);
    },
    first: async (count) => {
      await until(() => logged.length >= count && logged[count - 1]!.length > 0);
      return logged.slice(0, count);
    },
  };
}

/** The browser's own switch: nothing opens any more, and on open sockets nothing arrives. */
import type { Page } from "playwright-core";

/** @returns what switches it on again, and resolves when the page has been told */
export async function goOffline(page: Page): Promise<{ goOnline(): Promise<void> }> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const setOffline = async (offline: boolean) => {
    const limits = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await session.send("Network.emulateNetworkConditions", limits);
  };
  await setOffline(true);
  const goOnline = async () => {
    const told = await page.evaluateHandle(() => ({
      online: new Promise((resolve) => addEventListener("online", resolve)),
    }));
    await setOffline(false);
    await told.evaluate(({ online }) => online.then(() => {}));
  };
  return { goOnline };
}

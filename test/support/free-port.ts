/** A port for programs that cannot be asked which one they took. */
import { createServer } from "node:net";

/**
 * One on 127.0.0.1 that stays free for a while: systems give those from 32768 on to whoever asks. And
 * not 10080 or one below, where `fetch` refuses some (WHATWG Fetch, "bad port").
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

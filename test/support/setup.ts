/** Once before all tests: what they need beyond npm is there, or one clear line says what to do. */
import { findOrInstallChromium } from "./chromium.ts";

export async function setup(): Promise<void> {
  process.env["CHROME_PATH"] = await findOrInstallChromium();
}

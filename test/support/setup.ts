/** Once before all tests: what they need beyond npm is there, or one clear line says what to do. */
import { findOrInstall } from "./find-or-install.ts";
import { TOOLS } from "./tools.ts";

export async function setup(): Promise<void> {
  Object.assign(process.env, await findOrInstall(TOOLS));
}

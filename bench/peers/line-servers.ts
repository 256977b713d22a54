/** `capnweb-push exec` and the real websocketd, each the program that a user starts. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findOrInstall } from "../../test/support/find-or-install.ts";
import { type Listening, startListening } from "../../test/support/listening.ts";
import { TOOLS } from "../../test/support/tools.ts";
import { startWebsocketd } from "../../test/support/websocketd.ts";

export type LineServer = "ours" | "websocketd";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url)); // from dist/bench/peers/
const MOST_PROGRAMS = 1_000;

/** @returns what is missing, in one line, if something is */
export async function findOrInstallWebsocketd(): Promise<string | undefined> {
  try {
    const tools = TOOLS.filter(({ variable }) => variable === "WEBSOCKETD_PATH");
    Object.assign(process.env, await findOrInstall(tools));
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

/** As Debian counts it: the program itself may call itself a development build. */
export function websocketdVersion(): string {
  const query = ["-W", "-f", "websocketd ${source:Upstream-Version}", "websocketd"];
  try {
    return execFileSync("dpkg-query", query, { encoding: "utf8" });
  } catch {
    return "websocketd";
  }
}

/** `dist/server/main.js`, whose package is the product's own. */
export function buildProgram(): void {
  execFileSync("npm", ["run", "--silent", "build:server"], { cwd: ROOT, stdio: "inherit" });
}

/** One process of `command` for each connection. To be killed. */
export function startLineServer(kind: LineServer, command: readonly string[]): Promise<Listening> {
  if (kind === "websocketd") return startWebsocketd(command);
  const flags = ["--port=0", `--max-processes=${MOST_PROGRAMS}`];
  const main = `${ROOT}dist/server/main.js`;
  // As the bench itself: `node --cpu-prof …` profiles the servers too.
  const profile = process.execArgv.filter((flag) => flag.startsWith("--cpu-prof"));
  return startListening(
    [process.execPath, ...profile, main, "exec", ...flags, "--", ...command],
    /http:\/\/localhost:(\d+)/,
  );
}

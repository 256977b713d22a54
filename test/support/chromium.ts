/**
 * The browser for the page tests. A machine without one must never become a test that is quietly
 * left out: it is found, or installed, or one line says what is missing.
 */
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const ELSEWHERE = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];
const MISSING =
  "The page tests need Chromium: install it (Debian: apt-get install chromium) or set CHROME_PATH";

const run = promisify(execFile);

/** The path of an executable Chromium or Chrome. As root on Debian it installs one if need be. */
export async function findOrInstallChromium(): Promise<string> {
  const configured = process.env["CHROME_PATH"];
  if (configured !== undefined) {
    if (await isExecutable(configured)) return configured;
    throw new Error(`CHROME_PATH is not an executable file: ${configured}`);
  }
  const found = await findChromium();
  if (found !== undefined) return found;
  const aptGet = await firstExecutable(onPath(["apt-get"]));
  if (aptGet === undefined || process.getuid?.() !== 0) throw new Error(MISSING);
  try {
    await run(aptGet, ["update"]);
    await run(aptGet, ["install", "-y", "--no-install-recommends", "chromium"], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  } catch (error) {
    throw new Error(MISSING, { cause: error });
  }
  const installed = await findChromium();
  if (installed === undefined) throw new Error(MISSING);
  return installed;
}

function findChromium(): Promise<string | undefined> {
  return firstExecutable([...onPath(NAMES), ...ELSEWHERE]);
}

function onPath(names: readonly string[]): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name)));
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

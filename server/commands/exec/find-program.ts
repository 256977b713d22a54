/** Whether a command is there to be run, so that a wrong name is told at once and not to clients. */
import { access, constants, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** @param command a path when there is a slash in it, else a name to be looked for in PATH */
export async function findProgram(
  command: string,
  path = process.env["PATH"] ?? "",
): Promise<string | undefined> {
  const isWindows = process.platform === "win32";
  const isPath = command.includes("/") || (isWindows && command.includes("\\"));
  const places = isPath ? [command] : path.split(delimiter).map((folder) => join(folder, command));
  const names = isWindows ? places.flatMap((place) => [place, `${place}.exe`]) : places;
  for (const name of names) {
    if (await isExecutable(name)) return name;
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

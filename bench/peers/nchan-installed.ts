/** Debian's nginx module: found, or installed where that is possible. Everything else does without. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

export const NCHAN_MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/** @returns whether it is there */
export function findOrInstallNchan(): boolean {
  if (existsSync(NCHAN_MODULE)) return true;
  if (process.getuid?.() !== 0) return false;
  // SYSTEMD_OFFLINE: Debian would start the nginx that it installs, on the port everybody wants.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", SYSTEMD_OFFLINE: "1" };
  const packages = ["nginx", "libnginx-mod-nchan"];
  try {
    execFileSync("apt-get", ["update"], { env, stdio: "ignore" });
    const flags = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"];
    execFileSync("apt-get", [...flags, ...packages], { env, stdio: "ignore" });
  } catch {
    // Another system, or no network: the table says that it is not installed.
  }
  return existsSync(NCHAN_MODULE);
}

/** As Debian counts it; of a module that came otherwise nothing is known. */
export function nchanVersion(): string {
  const query = ["-W", "-f", "nchan ${source:Upstream-Version}", "libnginx-mod-nchan"];
  try {
    return execFileSync("dpkg-query", query, { encoding: "utf8" });
  } catch {
    return "nchan";
  }
}

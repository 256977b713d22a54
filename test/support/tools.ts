/** What the tests need beyond npm. A new one is an entry here; the tests find it in its variable. */
import type { Tool } from "./find-or-install.ts";

export const TOOLS: readonly Tool[] = [
  {
    name: "Chromium",
    variable: "CHROME_PATH",
    files: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    elsewhere: ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
    debianPackage: "chromium",
  },
  {
    name: "nginx",
    variable: "NGINX_PATH",
    files: ["nginx"],
    elsewhere: ["/usr/sbin/nginx", "/usr/local/sbin/nginx"], // on the PATH of root alone
    debianPackage: "nginx",
  },
  {
    name: "websocketd",
    variable: "WEBSOCKETD_PATH",
    files: ["websocketd"],
    debianPackage: "websocketd",
  },
];

/**
 * The real nginx in front of a server, with the settings that README.md prints; only their ports are
 * replaced. It lives in a folder of its own and knows nothing of a system's nginx.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

export class Nginx {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly #folder: string;
  #process: ChildProcess | undefined;
  #output = "";

  /** Use `startNginx`. */
  constructor(port: number, folder: string) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
  }

  /** Starts it, also once more after `stop`. Resolves when it takes connections. */
  async start(): Promise<void> {
    const nginx = spawn(process.env["NGINX_PATH"]!, ["-p", this.#folder, "-c", "nginx.conf"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = nginx;
    nginx.stderr.on("data", (text: Buffer) => (this.#output += text.toString()));
    const failed = once(nginx, "exit").then(() => {
      throw new Error(`nginx has ended:\n${this.#output}`);
    });
    failed.catch(() => {}); // it ends some day
    await Promise.race([failed, until(() => answers(this.port))]);
  }

  /** New workers take the new connections; the old ones go on until theirs have ended. */
  async reload(): Promise<void> {
    const reloads = this.#reloads();
    this.#process!.kill("SIGHUP");
    await until(() => this.#reloads() > reloads);
  }

  /** At once, its connections are cut. May be called twice. */
  async stop(): Promise<void> {
    const nginx = this.#process;
    this.#process = undefined;
    if (!nginx || nginx.exitCode !== null || nginx.signalCode !== null) return;
    const exit = once(nginx, "exit");
    nginx.kill("SIGTERM"); // its workers end before it does; SIGKILL would leave them behind
    await exit;
  }

  /** `stop`, and nothing of it is left. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** How many times it has started new workers for a new configuration. */
  #reloads(): number {
    return this.#output.split("gracefully shutting down").length - 1;
  }
}

/** Not ended with the test. `serverPort` is that of the server behind it, on 127.0.0.1. */
export async function startNginx(serverPort: number): Promise<Nginx> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "nginx-"));
  writeFileSync(join(folder, "nginx.conf"), configuration(port, serverPort));
  const nginx = new Nginx(port, folder);
  await nginx.start();
  return nginx;
}

/** What a distribution's nginx.conf has around the files in conf.d. */
function configuration(port: number, serverPort: number): string {
  return `
    daemon off;
    user root; # as root: its workers, who own the folder too; as anybody else it is ignored
    worker_processes 1;
    pid nginx.pid;
    error_log stderr notice;
    events { worker_connections 256; }
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      ${readmeSettings(port, serverPort)}
    }`;
}

function readmeSettings(port: number, serverPort: number): string {
  const [, settings] = /^```nginx\n([^]*?)^```$/m.exec(readFileSync("README.md", "utf8"))!;
  return settings!
    .replace("listen 80;", `listen 127.0.0.1:${port};`)
    .replace("server 127.0.0.1:8000;", `server 127.0.0.1:${serverPort};`);
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** nginx with Debian's nchan, one worker. The processor time is the worker's; this only publishes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getStream } from "../load/joining.ts";
import { listening } from "./listening.ts";
import { NCHAN_MODULE } from "./nchan-installed.ts";
import type { Peer } from "./peer.ts";
import { childrenOf, cpuOf } from "./processor-time.ts";

export async function startNchan(): Promise<Peer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "bench-nchan-"));
  const file = join(folder, "nginx.conf");
  writeFileSync(file, configuration(port, folder));
  const nginx = spawn("nginx", ["-p", folder, "-c", file], { stdio: ["ignore", 2, 2] });
  process.once("exit", () => {
    nginx.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const worker = await startedWorker(nginx.pid!);
  const publisher = connect(port, "127.0.0.1").setNoDelay();
  await once(publisher, "connect");
  publisher.resume(); // nobody wants the answers
  return {
    port,
    joining: getStream("/events", "text/event-stream", ": hi\n"),
    publish: ({ json }) => {
      const head = `POST /publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${json.length}`;
      publisher.write(`${head}\r\n\r\n${json}`);
    },
    cpu: () => cpuOf(worker),
  };
}

function configuration(port: number, folder: string): string {
  return `
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
load_module ${NCHAN_MODULE};
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log stderr emerg;
events { worker_connections 16000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder};
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /events {
      nchan_subscriber eventsource;
      nchan_subscriber_first_message newest;
      nchan_channel_id bench;
    }
    location = /publish {
      nchan_publisher http;
      nchan_channel_id bench;
      nchan_message_buffer_length 1024;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

/** Whoever connects may do so before there is a worker: the master listens first. */
async function startedWorker(master: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const [worker] = childrenOf(master);
    if (worker !== undefined) return worker;
    await sleep(50);
  }
  throw new Error("nginx did not start");
}

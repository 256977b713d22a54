/**
 * What one poll over HTTP batch costs the server, against capnweb's own handlers answering a
 * constant of the same shape and size on the same Hono server.
 */
import { Child } from "./child.ts";
import type { HttpLoadQuestion, Loaded } from "./processes/http-load.ts";
import type { HttpServerKind, HttpServerQuestion, Started } from "./processes/http-server.ts";
import { type Effort, micros, RATIO_HEAD, ratioCells, section, table } from "./report.ts";
import { interleave, median, ratios } from "./rounds.ts";

const CONNECTIONS = 32;
const WARM_UP_SLICES = 2; // until what is hot is compiled
const KINDS: readonly HttpServerKind[] = ["product", "fetch handler", "node handler"];
const NAMES: Record<HttpServerKind, string> = {
  product: "the product",
  "fetch handler": "`newHttpBatchRpcResponse`, constant",
  "node handler": "`nodeHttpBatchRpcResponse`, constant",
};
const EXPECT = { sample: '"updates":[[{"cpuUsage"', empty: '"updates":[[]]' };

class Server {
  readonly name: string;
  readonly kind: HttpServerKind;
  readonly samples: keyof typeof EXPECT;
  readonly load: Child;
  readonly #process: Child;
  #started: Started | undefined;
  /** Of the server's processor and of the load's, while under load: 1 is a whole core. */
  readonly busy: { server: number; load: number }[] = [];

  constructor(kind: HttpServerKind, samples: keyof typeof EXPECT, load: Child, name = NAMES[kind]) {
    this.name = name;
    this.kind = kind;
    this.samples = samples;
    this.load = load;
    this.#process = new Child("http-server", [kind, samples]);
  }

  /** @returns microseconds of the server's CPU per request */
  async measure(ms: number): Promise<number> {
    const { port, subscriptionId } = (this.#started ??= await this.#ask<Started>("start"));
    const body = `["push",["pipeline",0,["pollMetricsUpdates"],["${subscriptionId}"]]]\n["pull",1]`;
    const expect = EXPECT[this.samples];
    await this.#load({ kind: "open", port, body, expect, connections: CONNECTIONS });
    const start = performance.now();
    const before = await this.#ask<NodeJS.CpuUsage>("cpu");
    const { requests, cpu } = await this.#load<Loaded>({ kind: "run", ms });
    const after = await this.#ask<NodeJS.CpuUsage>("cpu");
    const wall = (performance.now() - start) * 1000;
    await this.#load({ kind: "close" });
    const used = after.user + after.system - before.user - before.system;
    this.busy.push({ server: used / wall, load: cpu / wall });
    return used / requests;
  }

  close(): void {
    this.#process.close();
  }

  #ask<T>(kind: HttpServerQuestion["kind"]): Promise<T> {
    return this.#process.ask({ kind } satisfies HttpServerQuestion);
  }

  #load<T>(question: HttpLoadQuestion): Promise<T> {
    return this.load.ask(question);
  }
}

export async function httpBatch({ rounds, sliceMs }: Effort): Promise<void> {
  section(
    "One poll over HTTP batch",
    "CPU of the server process per request, as a ratio to the cheaper of capnweb's own handlers " +
      `on the same Hono server. ${CONNECTIONS} keep-alive connections. Target: at most 1.2.`,
  );
  const load = new Child("http-load");
  try {
    await compare("sample", "one new sample in each answer");
    await compare("empty", "nothing new");
  } finally {
    load.close();
  }

  async function compare(samples: keyof typeof EXPECT, title: string): Promise<void> {
    const servers = KINDS.map((kind) => new Server(kind, samples, load));
    // The same thing twice: how far apart two equal processes come out is the noise.
    servers.push(new Server("fetch handler", samples, load, "the same again, as a control"));
    try {
      for (const server of servers) {
        await server.measure(sliceMs * WARM_UP_SLICES);
        server.busy.length = 0;
      }
      const results = await interleave(servers, rounds, (server) => server.measure(sliceMs));
      const [cheaper] = servers
        .slice(1, 3)
        .map((server) => results.get(server)!)
        .toSorted((a, b) => median(a) - median(b));
      table(
        [title, ...RATIO_HEAD, "µs CPU", "server busy", "load busy"],
        servers.map((server) => {
          const costs = results.get(server)!;
          const busy = (side: "server" | "load") =>
            `${(100 * median(server.busy.map((slice) => slice[side]))).toFixed(0)} %`;
          const cells = ratioCells(ratios(costs, cheaper!));
          return [server.name, ...cells, micros(costs), busy("server"), busy("load")];
        }),
      );
    } finally {
      for (const server of servers) server.close();
    }
  }
}

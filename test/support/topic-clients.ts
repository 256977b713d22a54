/**
 * The plainest client of each transport that pushes: what a program would be that knows only the
 * README. Unlike the contract's readers it does not mind how a proxy has cut or joined the bytes.
 * None of them is ended with the test.
 */
import { type IncomingMessage, request } from "node:http";
import { WebSocket } from "ws";
import type { Batch } from "../../server/contract.ts";
import { connect } from "./rpc.ts";

export interface Taken {
  readonly cursor: string;
  readonly data: unknown;
}

export interface TopicClient {
  /** The next event. @throws {Error} when the connection has ended, and for a gap */
  next(): Promise<Taken>;
  /** Where the stream began. */
  readonly cursor: string;
  close(): void;
}

/** Resolves when the stream has begun; `url` is `http://HOST:PORT`. */
export type OpenTopic = (url: string, topic: string, after?: string) => Promise<TopicClient>;

export const openSse: OpenTopic = async (url, topic, after) => {
  const headers = { Accept: "text/event-stream", ...(after && { "Last-Event-ID": after }) };
  const response = await get(`${url}/topics/${topic}`, headers);
  const inbox = new Inbox();
  let fields: Record<string, string> = {};
  const begun = new Promise<string>((resolve, reject) => {
    const take = (line: string) => {
      const [, name, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      if (name) fields[name] = value!;
      if (line !== "") return;
      const { id, event, data } = fields;
      if (id !== undefined) resolve(id);
      if (event === "gap" || event === "error") inbox.end(new Error(`${event}: ${data}`));
      else if (data !== undefined) inbox.add({ cursor: id!, data: JSON.parse(data) });
      fields = {};
    };
    readLines(response, take, reject, inbox);
  });
  return client(inbox, await begun, () => response.destroy());
};

export const openNdjson: OpenTopic = async (url, topic, after) => {
  const query = after ? `?after=${after}` : "";
  const headers = { Accept: "application/x-ndjson" };
  const response = await get(`${url}/topics/${topic}${query}`, headers);
  const inbox = new Inbox();
  const take = (line: string) => {
    if (line === "") return;
    const { cursor, data, gap, error } = JSON.parse(line) as Taken & {
      gap?: object;
      error?: object;
    };
    if (gap ?? error) inbox.end(new Error(line));
    else inbox.add({ cursor, data });
  };
  readLines(response, take, () => {}, inbox);
  return client(inbox, response.headers["cursor"] as string, () => response.destroy());
};

export const openWebSocket: OpenTopic = async (url, topic, after) => {
  const query = after ? `?after=${after}` : "";
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/topics/${topic}${query}`);
  const inbox = new Inbox();
  const begun = new Promise<string>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (frame) => {
      const batch = JSON.parse((frame as Buffer).toString()) as Batch;
      inbox.addBatch(batch);
      resolve(beginOf(batch));
    });
    socket.on("close", (code) => {
      const cut = new Error(`closed: ${code}`);
      reject(cut);
      inbox.end(cut);
    });
  });
  return client(inbox, await begun, () => socket.terminate());
};

/** `tail`, in a Cap'n Web session. */
export const openTail: OpenTopic = async (url, topic, after) => {
  const session = await connect(`${url.replace(/^http/, "ws")}/api`);
  const inbox = new Inbox();
  // A quiet stream of the library does not notice that its session has ended.
  session.socket.on("close", (code) => inbox.end(new Error(`closed: ${code}`)));
  const cursor = after ?? (await session.api.read(topic, { after: "latest" })).cursor;
  const stream = await session.api.tail(topic, { after: cursor });
  const read = async () => {
    for await (const batch of stream) inbox.addBatch(batch);
  };
  read().catch((error: Error) => inbox.end(error));
  return client(inbox, cursor, session.close);
};

/** Events that have arrived and were not taken yet, and how the connection ended. */
class Inbox {
  readonly #events: Taken[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  add(event: Taken): void {
    this.#events.push(event);
    this.#wake();
  }

  addBatch({ events, cursor, gap }: Batch): void {
    if (gap) this.end(new Error(`gap: ${JSON.stringify(gap)}`));
    const [epoch] = cursor.split(".");
    for (const { offset, data } of events) this.add({ cursor: `${epoch}.${offset}`, data });
  }

  end(failure: Error): void {
    this.#failure ??= failure;
    this.#wake();
  }

  async next(): Promise<Taken> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

function client(inbox: Inbox, cursor: string, close: () => void): TopicClient {
  return { cursor, close, next: () => inbox.next() };
}

/** The cursor before the first event of a batch. */
function beginOf({ events, cursor }: Batch): string {
  const [epoch, offset] = cursor.split(".");
  return `${epoch}.${Number(offset) - events.length}`;
}

function get(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers, agent: false });
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      if (response.statusCode === 200) return resolve(response);
      reject(new Error(`status ${response.statusCode}`));
      response.destroy();
    });
    outgoing.end();
  });
}

/** Whole lines; what a cut leaves of one is dropped. */
function readLines(
  response: IncomingMessage,
  take: (line: string) => void,
  fail: (error: Error) => void,
  inbox: Inbox,
): void {
  let rest = "";
  response.setEncoding("utf8");
  response.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    lines.forEach(take);
  });
  response.on("error", () => {}); // "close" follows
  response.once("close", () => {
    const cut = new Error("the connection was cut");
    fail(cut);
    inbox.end(cut);
  });
}

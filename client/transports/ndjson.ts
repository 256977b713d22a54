/** A topic as lines of JSON. An empty line is a heartbeat, the last one may say why it ends. */
import type { Gap } from "../../server/contract.ts";
import { offsetOf } from "../cursor.ts";
import { lost, protocolError, told } from "../failures.ts";
import type { TopicBatch, TopicEvent, Transport, TransportError } from "../transport.ts";
import { checkBatch, checkGap, parseJson } from "./checked.ts";
import { ask, type HttpOptions, MAX_CHARS, textOf } from "./http.ts";

export function ndjson(options: HttpOptions): Transport {
  return {
    name: "ndjson",
    async *open(place, signal) {
      const response = await ask(options, { place, accept: "application/x-ndjson" }, signal);
      const cursor = response.headers.get("Cursor");
      if (!cursor) {
        await response.body?.cancel();
        throw protocolError("Expected the header `Cursor`");
      }
      yield { events: [], cursor };
      const lines = new Lines(cursor);
      for await (const text of textOf(response, signal, options.onBytes)) {
        yield* lines.push(text);
        if (lines.failure) throw lines.failure;
      }
      throw lost("The server ended the stream");
    },
  };
}

interface Line extends TopicEvent {
  readonly cursor: string;
  readonly gap?: Gap;
  readonly error?: unknown;
}

/** Chunks of text → batches, each of the lines that end in one chunk. A gap begins a new one. */
class Lines {
  failure: TransportError | undefined;
  #rest = "";
  #cursor: string;

  constructor(cursor: string) {
    this.#cursor = cursor;
  }

  push(text: string): TopicBatch[] {
    const lines = text.split("\n");
    lines[0] = this.#rest + lines[0]!;
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_CHARS) {
      this.failure = protocolError(`Expected lines of at most ${MAX_CHARS} characters`);
    }
    return lines.length > 0 ? this.#batches(lines) : [];
  }

  #batches(lines: readonly string[]): TopicBatch[] {
    const batches: TopicBatch[] = [];
    let events: TopicEvent[] = [];
    let gap: Gap | undefined;
    const flush = () => {
      if (events.length > 0 || gap) {
        batches.push({ events, cursor: this.#cursor, ...(gap && { gap }) });
      }
      events = [];
      gap = undefined;
    };
    for (const text of lines) {
      if (text === "") continue;
      const line = this.#parse(text);
      if (!line) break;
      const { cursor, ...event } = line;
      if (event.gap) flush();
      this.#cursor = cursor;
      if (event.gap) gap = event.gap;
      else events.push(event);
    }
    flush();
    const alive = batches.length === 0 && !this.failure;
    return alive ? [{ events: [], cursor: this.#cursor }] : batches;
  }

  #parse(text: string): Line | undefined {
    try {
      const line = parseJson(text) as Line;
      if (line?.error) throw told(line.error);
      offsetOf(line?.cursor);
      if (line.gap) checkGap(line.gap);
      else checkBatch({ events: [line], cursor: line.cursor });
      return line;
    } catch (error) {
      this.failure = error as TransportError; // what came before it in the chunk is still good
      return undefined;
    }
  }
}

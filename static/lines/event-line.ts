/** Events as lines. Their data comes from anybody, so what they mean is looked at before it is believed. */
import type { TopicBatch, TopicEvent } from "../../client/index.ts";
import type { Gap } from "../../server/contract.ts";
import type { Line } from "../shared/line-row.ts";

export function linesOf({ events, gap }: Pick<TopicBatch, "events" | "gap">): Line[] {
  const lines = events.map(lineOf);
  return gap ? [lossOf(gap), ...lines] : lines;
}

function lineOf({ time, name, data }: TopicEvent): Line {
  const note = noteOf(name, data);
  if (note !== undefined) return { text: note, time, kind: "note" };
  return { text: typeof data === "string" ? data : JSON.stringify(data), time, badge: name };
}

function lossOf({ missed }: Gap): Line {
  if (missed === null) {
    return { text: "the topic began anew: nobody knows what was missed", kind: "lost" };
  }
  const events = missed === 1 ? "event" : "events";
  return { text: `${missed.toLocaleString("en")} ${events} missed`, kind: "lost" };
}

/** What the server says about a program or a pipe; undefined for every other event. */
function noteOf(name: string | undefined, data: unknown): string | undefined {
  if (name === "end" && data === null) return "the input has ended";
  if (name !== "exit" || typeof data !== "object" || data === null) return undefined;
  const { code, signal, message, restartInMs } = data as Record<string, unknown>;
  const ended = endOf({ code, signal, message });
  if (ended === undefined || typeof restartInMs !== "number") return ended;
  return `${ended}; it starts again in ${seconds(restartInMs)} s`;
}

function endOf({ code, signal, message }: Record<string, unknown>): string | undefined {
  if (typeof message === "string") return message;
  if (typeof signal === "string") return `the program was ended by ${signal}`;
  return typeof code === "number" ? `the program ended with exit code ${code}` : undefined;
}

function seconds(ms: number): string {
  return (ms / 1_000).toLocaleString("en", { maximumFractionDigits: 2 });
}

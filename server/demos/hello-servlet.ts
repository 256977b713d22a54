/** `/HelloServlet`: the milliseconds since the Unix epoch, twenty times; then the stream ends. */
import { eventBlock } from "../wire/event-stream.ts";
import type { HttpStream } from "../wire/http-stream.ts";

const EVENTS = 20;

/** @returns what one client's stream does at each tick; the one after the last event ends it */
export function helloServlet(): (stream: HttpStream) => void {
  let events = 0;
  return (stream) => {
    if (events === EVENTS) return stream.end();
    events += 1;
    stream.write(eventBlock({ data: String(Date.now()) }));
  };
}

/** `/api/time`: the time, as each client's own stream. No space after the colons, as in its model. */
import { eventBlock } from "../wire/event-stream.ts";
import type { HttpStream } from "../wire/http-stream.ts";
import { rfc3339 } from "./local-time.ts";

export function writeTime(stream: HttpStream): void {
  const data = JSON.stringify(rfc3339(new Date()));
  stream.write(eventBlock({ event: "time", data }, { colon: ":" }));
}

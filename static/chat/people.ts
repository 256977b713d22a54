/** How many are in the chat, from the ticks of `/events/feed`. */
import { setText } from "../shared/element.ts";
import { LiveStream } from "../shared/live-stream.ts";
import { whileVisible } from "../shared/while-visible.ts";

const SILENCE_MS = 10_000; // a tick comes each second

export function showPeople(line: HTMLElement): void {
  const feed = new LiveStream("/events/feed", SILENCE_MS, {
    // Not knowing is shown as not knowing: the number of a minute ago would be a lie.
    onStatus: ({ state }) => {
      if (state !== "connected") setText(line, "–");
    },
    on: { tick: (data) => setText(line, wordsOf(data)) },
  });
  whileVisible(
    () => feed.open(),
    () => feed.close(),
  );
}

function wordsOf(data: string): string {
  const { count } = JSON.parse(data) as { count?: unknown };
  if (typeof count !== "number") return "–";
  if (count === 0) return "Nobody is here";
  return count === 1 ? "1 person is here" : `${count} people are here`;
}

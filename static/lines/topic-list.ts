/** The server's topics, each a link to its lines. */
import type { TopicInfo } from "../../server/contract.ts";

export async function showTopics(list: HTMLElement, problem: HTMLElement): Promise<void> {
  try {
    const answer = await fetch("/topics", { cache: "no-store" });
    if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
    const topics = (await answer.json()) as TopicInfo[];
    list.replaceChildren(...topics.map(itemOf));
    problem.textContent = topics.length === 0 ? "This server has no topic yet" : "";
  } catch (error) {
    problem.textContent = `The topics cannot be listed: ${(error as Error).message}`;
  }
}

function itemOf({ topic, events }: TopicInfo): Element {
  const item = document.createElement("li");
  const link = item.appendChild(document.createElement("a"));
  link.href = `?${new URLSearchParams({ topic })}`;
  link.textContent = topic;
  const kept = events === 1 ? "1 event" : `${events.toLocaleString("en")} events`;
  item.appendChild(document.createElement("span")).textContent = `${kept} kept`;
  return item;
}

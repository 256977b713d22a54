/** The latest activities, newest first, as the last update has them. */
import { setText } from "../shared/element.ts";
import type { Activity } from "./dashboard.ts";

const SHOWN = 12;
const CLASS = /^activity-[a-z]+$/; // the server's word for a style of this page, and nothing else

export function showActivities(list: HTMLElement, activities: readonly Activity[]): void {
  const shown = activities.slice(0, SHOWN);
  while (list.children.length < shown.length) list.append(newItem());
  while (list.children.length > shown.length) list.lastElementChild?.remove();
  for (const [index, { time, message, level, css_class: cssClass }] of shown.entries()) {
    const item = list.children[index]!;
    item.className = CLASS.test(cssClass) ? cssClass : "";
    for (const [part, text] of [time, level, message].entries()) {
      setText(item.children[part]!, text);
    }
  }
}

function newItem(): Element {
  const item = document.createElement("li");
  item.append(...["time", "b", "span"].map((tag) => document.createElement(tag)));
  return item;
}

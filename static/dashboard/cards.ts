/** The status line and the five figures. */
import { elementById, elementIn, setText } from "../shared/element.ts";
import { type Dashboard, splitUnit } from "./dashboard.ts";

export function showCards({ system_status: status, metrics }: Dashboard): void {
  const line = elementById("status");
  line.dataset["status"] = status.status;
  setText(elementIn(line, "strong", HTMLElement), status.status);
  setText(elementIn(line, "span", HTMLElement), status.message);
  setText(elementById("uptime"), status.uptime);
  setText(elementById("last-check"), status.last_check);
  showFigure("cpu", metrics.cpu);
  showFigure("memory", metrics.memory);
  showFigure("disk", metrics.disk);
  showFigure("network", metrics.network);
  showFigure("response", metrics.response_time);
}

/** A percentage has a bar as well. */
function showFigure(id: string, text: string): void {
  const card = elementById(id);
  const [number, unit] = splitUnit(text);
  setText(elementIn(card, ".number", HTMLElement), number);
  setText(elementIn(card, ".unit", HTMLElement), unit);
  const bar = card.querySelector("progress");
  const value = Number.parseFloat(number);
  if (!bar || Number.isNaN(value)) return;
  bar.value = value;
  bar.ariaValueText = text;
}

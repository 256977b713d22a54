/** Whether there is a subscription, and when it last brought something. */
import { elementById } from "../shared/element.ts";
import { timeOfDay } from "../shared/time-format.ts";

export function showSubscription(subscriptionId: string | undefined): void {
  const line = elementById("subscription");
  if (subscriptionId === undefined) {
    line.textContent = "Not subscribed";
    return;
  }
  const id = document.createElement("code");
  id.textContent = subscriptionId;
  line.replaceChildren("Subscribed (ID: ", id, ")");
}

/** `ms` since the Unix epoch. */
export function showLastUpdated(ms: number): void {
  const time = elementById("updated");
  time.textContent = timeOfDay(ms);
  time.setAttribute("datetime", new Date(ms).toISOString());
}

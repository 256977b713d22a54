/** Times of day as the whole page writes them: 24 hours, so that they take the same room. */
const withSeconds = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const withoutSeconds = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

/** `14:03:22`, from milliseconds since the Unix epoch. */
export function timeOfDay(ms: number): string {
  return withSeconds.format(ms);
}

/** `14:03`, from milliseconds since the Unix epoch. */
export function hourAndMinute(ms: number): string {
  return withoutSeconds.format(ms);
}

/** Times as clocks and RFC 3339 write them, in this host's own zone. */

/** `2022-08-04T15:05:32.539+08:00`: RFC 3339 §5.6 with a fraction and, even for UTC, an offset. */
export function rfc3339(date: Date): string {
  return local(date, 23) + offset(date);
}

/** The same in whole seconds: `2022-08-04T15:05:32+08:00`. */
export function rfc3339Seconds(date: Date): string {
  return local(date, 19) + offset(date);
}

/** `15:05:32` */
export function timeOfDay(date: Date): string {
  return local(date, 19).slice(11);
}

function local(date: Date, length: number): string {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, length);
}

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const [hour, minute] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${minutes < 0 ? "-" : "+"}${twoDigits(hour)}:${twoDigits(minute)}`;
}

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

/**
 * Checks at the door: what a client or an application gave, before anything is done with it.
 * Each one throws `invalid_request` that names the value and the limit.
 */
import { PushError } from "./errors.ts";

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** A whole number in a range. `undefined` passes, for the caller's default. */
export function checkWhole(name: string, value: unknown, { min, max }: Range): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw new PushError(
    "invalid_request",
    `Expected \`${name}\` to be a whole number ${min}–${max}, got ${shown(value)}`,
  );
}

// RFC 3986's unreserved characters, so that a name is the same in a URL; no dot in front, because
// `/topics/..` would be another path.
export const TOPIC = /^[A-Za-z0-9_][A-Za-z0-9._~-]{0,127}$/;

export function checkTopic(topic: unknown): string {
  if (typeof topic === "string" && TOPIC.test(topic)) return topic;
  throw new PushError("invalid_request", `Expected ${A_TOPIC}, got ${shown(topic)}`);
}

/** What a topic is, in words. */
export const A_TOPIC =
  "a topic of 1–128 letters, digits and ._~- that begins with a letter, a digit or _";

/**
 * An event's name is one line: SSE could not carry another (WHATWG HTML §9.2.5). And it is not one
 * of the two by which SSE itself tells a gap and its end.
 */
export function checkEventName(name: unknown): string {
  const right = typeof name === "string" && /^[^\r\n\0\p{Surrogate}]{1,128}$/u.test(name);
  if (right && name !== "gap" && name !== "error") return name;
  throw new PushError(
    "invalid_request",
    `Expected an event name of 1–128 characters on one line, not "gap" or "error", got ${shown(name)}`,
  );
}

/** @returns an event's data as JSON text */
export function checkData(data: unknown, maxBytes: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (error) {
    throw new PushError("invalid_request", `Expected data that is JSON: ${String(error)}`);
  }
  if (json === undefined) {
    throw new PushError("invalid_request", `Expected data that is JSON, got ${shown(data)}`);
  }
  // Shorter text cannot be that deep.
  if (json.length > 2 * MAX_DEPTH && depthOf(json) > MAX_DEPTH) {
    throw new PushError("invalid_request", `Expected data of at most ${MAX_DEPTH} levels`);
  }
  const bytes = Buffer.byteLength(json);
  if (bytes <= maxBytes) return json;
  throw new PushError("too_large", `Expected an event of at most ${maxBytes} bytes, got ${bytes}`);
}

/** An options object; `undefined` and `null` are no options. */
export function checkOptions(options: unknown): Record<string, unknown> {
  if (options === undefined || options === null) return {};
  if (typeof options === "object" && !Array.isArray(options)) {
    return options as Record<string, unknown>;
  }
  throw new PushError("invalid_request", `Expected an options object, got ${shown(options)}`);
}

/** Cap'n Web cannot send more than 256, with the answer around the data. */
const MAX_DEPTH = 128;

/** How deep JSON text nests. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index];
    if (inString) {
      if (character === "\\") index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "[" || character === "{") deepest = Math.max(deepest, (depth += 1));
    else if (character === "]" || character === "}") depth -= 1;
  }
  return deepest;
}

/** A value as an error message may show it: short, and never a whole structure. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  if (typeof value === "number" || typeof value === "boolean" || value === null) return `${value}`;
  return Array.isArray(value) ? "an array" : typeof value;
}

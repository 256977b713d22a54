/**
 * What the text of a setting has to be, and what value it gives. A rule decides by the text
 * alone; who gave it, and how to complain, is `config.ts`'s business.
 */
import { isIP } from "node:net";
import { A_TOPIC, TOPIC } from "./check.ts";

export interface Rule<T> {
  /** Ends the sentence "Expected `--port` to be …". */
  readonly expected: string;
  /** The bounds, for numbers. */
  readonly range?: string;
  /** undefined when the text is not as expected. */
  readonly parse: (text: string) => T | undefined;
}

/** @param what names the unit: "a whole number of events" */
export function wholeNumber(what: string, min: number, max: number): Rule<number> {
  const range = `${min}–${max}`;
  const parse = (text: string) =>
    /^\d+$/.test(text) ? inRange(Number(text), min, max) : undefined;
  return { expected: `${what} ${range}`, range, parse };
}

/** A number of seconds, which gives whole milliseconds. */
export function seconds(min: number, max: number): Rule<number> {
  const range = `${min}–${max}`;
  const parse = (text: string) => {
    if (!/^(?:\d+\.?\d*|\.\d+)$/.test(text)) return undefined;
    const value = inRange(Number(text), min, max);
    return value === undefined ? undefined : Math.round(value * 1000);
  };
  return { expected: `a number of seconds ${range}`, range, parse };
}

export function oneOf<T extends string>(...choices: readonly T[]): Rule<T> {
  return {
    expected: choices.map((choice) => `\`${choice}\``).join(" or "),
    parse: (text) => choices.find((choice) => choice === text),
  };
}

// Labels as in RFC 1123 §2.1, and `_`, which the names of containers may have.
const HOST_NAME =
  /^(?=.{1,253}$)[a-z\d_]([\w-]{0,61}[a-z\d_])?(\.[a-z\d_]([\w-]{0,61}[a-z\d_])?)*$/i;

/** Names in lower case, so that `LOCALHOST` is known for what it is. */
export function hostName(): Rule<string> {
  return {
    expected: "a host name or an IP address",
    parse: (text) => {
      if (isIP(text) > 0) return text;
      return HOST_NAME.test(text) ? text.toLowerCase() : undefined;
    },
  };
}

/** Gives the form that browsers send (RFC 6454 §6.2): lower case, no default port. */
export function origin(): Rule<string> {
  return {
    expected: "one origin such as https://example.com, without a path and never *",
    parse: (text) => {
      // URL alone would forgive too much: it takes `*` and `,` for letters of a host name.
      const bare = /^https?:\/\/[^\s/?#@\\*,]+$/i.test(text);
      return bare && URL.canParse(text) ? new URL(text).origin : undefined;
    },
  };
}

/** Origins, or hosts of which both schemes are meant, with commas between. */
export function originList(): Rule<string[]> {
  const { parse } = origin();
  const originsOf = (text: string) => {
    const named = /^https?:/i.test(text) ? [text] : [`http://${text}`, `https://${text}`];
    const origins = named.map(parse);
    return origins.every((one) => one !== undefined) ? origins : undefined;
  };
  return {
    expected: "origins such as https://example.com or hosts such as example.com:8080, never *",
    parse: (text) => {
      const lists = text.split(",").map((part) => originsOf(part.trim()));
      return lists.every((list) => list !== undefined) ? lists.flat() : undefined;
    },
  };
}

export function topicName(): Rule<string> {
  return { expected: A_TOPIC, parse: (text) => (TOPIC.test(text) ? text : undefined) };
}

/** Of the environment (POSIX XBD §8.1), with commas between. */
export function variableNames(): Rule<string[]> {
  return {
    expected: "names of environment variables",
    parse: (text) => {
      const names = text.split(",").map((name) => name.trim());
      return names.every((name) => /^[A-Za-z_]\w*$/.test(name)) ? names : undefined;
    },
  };
}

/** What a client can send after `Authorization: Bearer`; headers end at 16 KiB in Node. */
export function bearerToken(): Rule<string> {
  return {
    expected: "1–1024 visible ASCII characters without spaces",
    parse: (text) => (/^[\x21-\x7e]{1,1024}$/.test(text) ? text : undefined),
  };
}

function inRange(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

/**
 * What a program is told of the request it serves: the CGI variables (RFC 3875 §4.1), by the names
 * that websocketd uses. They are all that the network can say to it, besides its input.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { PushError } from "../errors.ts";

/**
 * @param software for SERVER_SOFTWARE
 * @throws {PushError} `invalid_request` for a path that is none
 */
export function cgiVariables(request: IncomingMessage, software: string): Record<string, string> {
  const { socket, headers, method = "GET", httpVersion } = request;
  const url = utf8(request.url ?? "/").replace(/^https?:\/\/[^/?]*/i, ""); // RFC 9112 §3.2.2
  const [, path, query = ""] = /^([^?]*)(?:\?(.*))?$/s.exec(url)!;
  const pathInfo = decoded(path!);
  const address = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  return {
    ...headerVariables(request),
    AUTH_TYPE: "",
    CONTENT_LENGTH: headers["content-length"] ?? "",
    CONTENT_TYPE: utf8(headers["content-type"] ?? ""),
    GATEWAY_INTERFACE: "CGI/1.1",
    PATH_INFO: pathInfo,
    PATH_TRANSLATED: pathInfo,
    QUERY_STRING: query,
    REMOTE_ADDR: address,
    REMOTE_HOST: address,
    REMOTE_IDENT: "",
    REMOTE_PORT: String(socket.remotePort ?? ""),
    REMOTE_USER: "",
    REQUEST_METHOD: method,
    REQUEST_URI: url,
    SCRIPT_NAME: "/",
    SERVER_NAME: hostName(headers.host) ?? socket.localAddress ?? "",
    SERVER_PORT: String(socket.localPort ?? ""),
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    SERVER_SOFTWARE: software,
    UNIQUE_ID: randomUUID(),
  };
}

/** §4.1.18: `HTTP_` and the header's name in capitals. */
function headerVariables({ headers }: IncomingMessage): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || !/^[a-z\d-]+$/.test(name) || WITHHELD.has(name)) continue;
    const variable = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
    variables[variable] = utf8([value].flat().join(", "));
  }
  return variables;
}

const WITHHELD = new Set([
  "content-length", // these two have names of their own
  "content-type",
  "proxy", // HTTP_PROXY is a setting of many programs (CVE-2016-5385)
]);

/** Node reads what is in a head as Latin-1; these are the bytes that came, which are UTF-8 today. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8");
}

function decoded(path: string): string {
  try {
    const text = decodeURIComponent(path);
    if (!text.includes("\0")) return text;
  } catch {
    // a % that stands alone, or bytes that are not UTF-8
  }
  throw new PushError("invalid_request", `Expected a path in UTF-8, got ${path.slice(0, 80)}`);
}

/** Without the port. */
function hostName(host: string | undefined): string | undefined {
  return host?.replace(/:\d*$/, "");
}

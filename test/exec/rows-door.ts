/** The door: who comes in, and what the program is told of who came. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";
import { ask } from "../support/wire.ts";
import { type Flags, type Row, sh, type Side } from "./row.ts";
import { refusal, type VisitOptions } from "./visit.ts";

const TWO_PROGRAMS: Flags = { websocketd: ["--maxforks=2"], exec: ["--max-processes", "2"] };
const OWN_ORIGIN: Flags = { websocketd: ["--sameorigin"], exec: [] };
const FRIEND: Flags = {
  websocketd: ["--origin=https://friend.example"],
  exec: ["--origin", "https://friend.example"],
};
const PASS: Flags = {
  websocketd: ["--passenv=PATH,WANTED,NOT_THERE"], // instead of those that it passes by itself
  exec: ["--pass-env", "WANTED", "--pass-env", "NOT_THERE"],
};
const SURROUNDINGS = { WANTED: "this one", SECRET: "not this one" };

type Server = Awaited<ReturnType<Side["start"]>>;

/** What comes of it: `open`, or the status it was refused with. */
async function attempt(
  side: Side,
  server: Server,
  options: VisitOptions,
): Promise<"open" | number> {
  return side.visit(server, options).then((): "open" => "open", refusal);
}

async function environment(
  side: Side,
  server: Server,
  options: VisitOptions = {},
): Promise<Record<string, string>> {
  const { lines } = await (await side.visit(server, options)).toEnd();
  const entries = lines.map((line) => /^([^=]*)=(.*)$/s.exec(line)!.slice(1));
  return Object.fromEntries(entries) as Record<string, string>;
}

export const DOOR: readonly Row[] = [
  {
    name: "arguments reach the program as they were given",
    see: async (side) => {
      const args = ["a b", "$(id)", "`id`", "'\"\\", "*", "-z", "--port", "", "ü;|&<>"];
      return (await (await side.run(["printf", "%s\\n", ...args])).toEnd()).lines;
    },
    same: ["a b", "$(id)", "`id`", "'\"\\", "*", "-z", "--port", "", "ü;|&<>"],
  },
  {
    name: "the CGI variables",
    see: async (side) => {
      const server = await side.start(["env"]);
      const variables = await environment(side, server, {
        path: "/a%20b/%C3%BC/c;d/e?q=%20+&x=%0a;$(id)",
        headers: { Cookie: "a=b", "X-Test": "one two", "Accept-Language": "de" },
      });
      const { PATH, REMOTE_PORT, SERVER_PORT, UNIQUE_ID, HTTP_SEC_WEBSOCKET_KEY, ...rest } =
        variables;
      const { GATEWAY_INTERFACE, SERVER_SOFTWARE, HTTP_HOST, ...others } = rest;
      void HTTP_HOST; // a row of its own
      return {
        ...others,
        path: PATH === process.env["PATH"],
        port: SERVER_PORT === String(server.port) && /^\d+$/.test(REMOTE_PORT!),
        id: /^[\w-]{8,}$/.test(UNIQUE_ID!),
        key: /^[\w+/]{22}==$/.test(HTTP_SEC_WEBSOCKET_KEY!),
        product: `${GATEWAY_INTERFACE} ${SERVER_SOFTWARE}`.includes("/"),
      };
    },
    same: {
      AUTH_TYPE: "",
      CONTENT_LENGTH: "",
      CONTENT_TYPE: "",
      HTTP_ACCEPT_LANGUAGE: "de",
      HTTP_CONNECTION: "Upgrade",
      HTTP_COOKIE: "a=b",
      HTTP_SEC_WEBSOCKET_EXTENSIONS: "permessage-deflate; client_max_window_bits",
      HTTP_SEC_WEBSOCKET_VERSION: "13",
      HTTP_UPGRADE: "websocket",
      HTTP_X_TEST: "one two",
      PATH_INFO: "/a b/ü/c;d/e",
      PATH_TRANSLATED: "/a b/ü/c;d/e",
      QUERY_STRING: "q=%20+&x=%0a;$(id)",
      REMOTE_ADDR: "127.0.0.1",
      REMOTE_HOST: "127.0.0.1",
      REMOTE_IDENT: "",
      REMOTE_USER: "",
      REQUEST_METHOD: "GET",
      REQUEST_URI: "/a%20b/%C3%BC/c;d/e?q=%20+&x=%0a;$(id)",
      SCRIPT_NAME: "/",
      SERVER_NAME: "127.0.0.1",
      SERVER_PROTOCOL: "HTTP/1.1",
      path: true,
      port: true,
      id: true,
      key: true,
      product: true,
    },
  },
  {
    name: "PATH_INFO is decoded, QUERY_STRING is not",
    see: async (side) => {
      const server = await side.start(sh('echo "$PATH_INFO $QUERY_STRING"'));
      const seen = [];
      for (const path of ["/", "/?", "/a%2Fb", "/%2e%2e/x?%", "/x?a=%zz&b=%2F", "/a;b,c=d&e?f+g"]) {
        seen.push(...(await (await side.visit(server, { path })).toEnd()).lines);
      }
      return seen;
    },
    same: ["/ ", "/ ", "/a/b ", "/x %", "/x a=%zz&b=%2F", "/a;b,c=d&e f+g"],
  },
  {
    name: "a header that comes twice is one variable",
    see: async (side) => {
      const server = await side.start(["env"]);
      const headers = { "X-Twice": ["one", "two"] };
      return (await environment(side, server, { headers }))["HTTP_X_TWICE"];
    },
    same: "one, two",
  },
  {
    name: "of the server's own environment the program has what is named, and no more",
    see: async (side) => {
      const server = await side.start(["env"], PASS, SURROUNDINGS);
      const { WANTED, SECRET, NOT_THERE, HOME } = await environment(side, server);
      return { WANTED, SECRET, NOT_THERE, HOME };
    },
    same: { WANTED: "this one", SECRET: undefined, NOT_THERE: undefined, HOME: undefined },
  },
  {
    name: "over the cap 429, before the upgrade; and room again when one has left",
    see: async (side) => {
      const server = await side.start(["cat"], TWO_PROGRAMS);
      const first = await side.visit(server);
      const seen = [await attempt(side, server, {}), await attempt(side, server, {})];
      first.socket.close();
      await until(async () => (await attempt(side, server, {})) === "open");
      return seen;
    },
    same: ["open", 429],
  },
  {
    name: "a page of another origin gets 403, one of this server's own comes in",
    see: async (side) => {
      const server = await side.start(["cat"], OWN_ORIGIN);
      const origins = ["http://evil.example", "null", `http://127.0.0.1:${server.port}`];
      const attempts = origins.map((Origin) => attempt(side, server, { headers: { Origin } }));
      return Promise.all(attempts);
    },
    same: [403, 403, "open"],
  },
  {
    name: "--origin lets another one in",
    see: async (side) => {
      const server = await side.start(["cat"], FRIEND);
      const origins = ["https://friend.example", "https://evil.example"];
      const attempts = origins.map((Origin) => attempt(side, server, { headers: { Origin } }));
      return Promise.all(attempts);
    },
    same: ["open", 403],
  },
  {
    name: "without any flag: a page of another origin",
    see: async (side) => {
      const server = await side.start(["cat"]);
      return attempt(side, server, { headers: { Origin: "http://evil.example" } });
    },
    websocketd: "open",
    exec: 403,
  },
  {
    name: "where only its own origin comes in: a client without one, as curl",
    see: async (side) => attempt(side, await side.start(["cat"], OWN_ORIGIN), {}),
    websocketd: 403,
    exec: "open",
  },
  {
    name: "headers that must not become variables: Proxy (CVE-2016-5385), names with . and _",
    see: async (side) => {
      const server = await side.start(["env"]);
      const headers = { Proxy: "http://evil.example", "X.Dot": "dot", X_Under: "under" };
      const { HTTP_PROXY, HTTP_X_UNDER, ...rest } = await environment(side, server, { headers });
      return [HTTP_PROXY, rest["HTTP_X.DOT"], HTTP_X_UNDER];
    },
    websocketd: ["http://evil.example", "dot", "under"],
    exec: [undefined, undefined, undefined],
  },
  {
    name: "the Host header, as HTTP_HOST",
    see: async (side) => {
      const server = await side.start(["env"]);
      const { HTTP_HOST } = await environment(side, server);
      return HTTP_HOST?.replace(String(server.port), "PORT");
    },
    websocketd: undefined,
    exec: "127.0.0.1:PORT",
  },
  {
    name: "a program that cannot be started",
    see: async (side) => {
      const script = join(mkdtempSync(join(tmpdir(), "exec-")), "script");
      writeFileSync(script, "#!/bin/sh\necho here\n");
      chmodSync(script, 0o755);
      const server = await side.start([script]);
      rmSync(script);
      return side.visit(server).then(async ({ closed }) => (await closed).code, refusal);
    },
    websocketd: 1006,
    exec: 502,
  },
  {
    name: "the same URL without WebSocket, asked by curl",
    see: async (side) => {
      const { url } = await side.start(["printf", "one\\ntwo\\n"]);
      const { status, text } = await ask(url, { headers: { Accept: "*/*" } });
      return [status, text];
    },
    websocketd: [404, "404 page not found\n"],
    exec: [200, "one\ntwo\n"],
  },
];

/** Node's own HTTP: a response that is held open, and nothing else. */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { getStream } from "../load/joining.ts";
import { EVENT_STREAM } from "../../server/wire/event-stream.ts";
import { listening } from "./listening.ts";
import type { Peer } from "./peer.ts";

export async function startHttp(): Promise<Peer> {
  const responses = new Set<ServerResponse>();
  const server = createServer((_request, response) => {
    responses.add(response);
    response.on("close", () => responses.delete(response));
    response.writeHead(200, { "Content-Type": EVENT_STREAM });
    response.write(": ready\n\n");
  });
  return {
    port: await listening(server),
    joining: getStream("/", EVENT_STREAM, ": ready"),
    publish: ({ json }) => {
      const bytes = Buffer.from(`data: ${json}\n\n`);
      for (const response of responses) response.write(bytes);
    },
  };
}

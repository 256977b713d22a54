/** Cap'n Web clients for tests: the library as its users have it, over real HTTP and sockets. */
import {
  newHttpBatchRpcSession,
  type RpcSession,
  RpcSession as Session,
  type RpcStub,
} from "capnweb";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import type { PushApi, PushSessionApi } from "../../server/contract.ts";

/** A new batch: every call made before the next `await` travels in one request. */
export function batch(url: string): RpcStub<PushApi> {
  return newHttpBatchRpcSession<PushApi>(`${url}/api`);
}

export interface SocketClient {
  readonly api: RpcStub<PushSessionApi>;
  readonly socket: WebSocket;
  readonly session: RpcSession<PushSessionApi>;
  close(): void;
}

/** `connect`, ended with the test. */
export async function openSocket(socketUrl: string): Promise<SocketClient> {
  const client = await connect(socketUrl);
  onTestFinished(client.close);
  return client;
}

/** A session over a real WebSocket. */
export async function connect(socketUrl: string): Promise<SocketClient> {
  const socket = new WebSocket(socketUrl);
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const inbox: string[] = [];
  let wake = () => {};
  let failure: Error | undefined;
  socket.on("message", (data) => {
    inbox.push((data as Buffer).toString());
    wake();
  });
  socket.on("close", (code, reason) => {
    failure = new Error(`closed: ${code} ${reason.toString()}`);
    wake();
  });
  const session = new Session<PushSessionApi>({
    send: (message) => socket.send(message),
    receive: async () => {
      for (;;) {
        const message = inbox.shift();
        if (message !== undefined) return message;
        if (failure) throw failure;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  });
  const close = () => socket.terminate();
  return { api: session.getRemoteMain(), socket, session, close };
}

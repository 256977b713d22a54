import { newWebSocketRpcSession, type RpcStub } from "capnweb";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { ProgramApi } from "../../../server/contract.ts";
import { Relay } from "../../../server/exec/relay.ts";
import { ProgramSession } from "../../../server/exec/session.ts";
import { startProgram } from "../../../server/sources/process.ts";
import { CallBudget } from "../../../server/transports/rpc/messages.ts";
import { until } from "../../support/until.ts";
import { startedExec } from "./started-exec.ts";

/** The library as its users have it; Node 20 has no WebSocket of its own. */
function open(url: string, protocol?: string): RpcStub<ProgramApi> {
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;
  const socket = new globalThis.WebSocket(url, protocol);
  const api = newWebSocketRpcSession<ProgramApi>(socket);
  onTestFinished(() => api[Symbol.dispose]());
  return api;
}

async function all<T>(stream: ReadableStream<T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const chunk of stream) items.push(...chunk);
  return items;
}

const textOf = (api: RpcStub<ProgramApi>) =>
  api.output().then((stream) => all(stream as ReadableStream<string[]>));

test("a session is one process: its lines, its input, how it ended", async () => {
  const { address, app } = await startedExec('while read -r line; do echo "<$line>"; done; exit 3');
  const api = open(`ws://${address}/api`);
  const lines = textOf(api);
  await api.write("a b");
  await api.write("");
  await api.write(new TextEncoder().encode("bytes\n"));
  await api.end();
  expect(await lines).toEqual(["<a b>", "<>", "<bytes>"]);
  expect(await api.exit()).toEqual({ code: 3, signal: null });
  await until(() => app.stats().processes === 0);
});

test("the subprotocol capnweb gives a session at any path", async () => {
  const { address } = await startedExec('echo "$PATH_INFO $QUERY_STRING"');
  const api = open(`ws://${address}/a/b?c=d`, "capnweb");
  expect(await textOf(api)).toEqual(["/a/b c=d"]);
});

test("with --binary the output is bytes", async () => {
  const { address } = await startedExec("printf 'a\\377\\n'", { binary: true });
  const api = open(`ws://${address}/api`);
  const chunks: number[] = [];
  for await (const chunk of (await api.output()) as ReadableStream<Uint8Array>) {
    chunks.push(...chunk);
  }
  expect(chunks).toEqual([0x61, 0xff, 0x0a]);
});

test("refuses a second reader and what is no line, and tells when nobody reads its input", async () => {
  const { address } = await startedExec("exec <&-; echo ready; sleep 60");
  const api = open(`ws://${address}/api`);
  const reader = ((await api.output()) as ReadableStream<string[]>).getReader();
  expect((await reader.read()).value).toEqual(["ready"]);
  await expect(api.output()).rejects.toMatchObject({ code: "invalid_request" });
  await expect(api.write(7 as never)).rejects.toMatchObject({ code: "invalid_request" });
  await expect(api.write("to nobody")).rejects.toThrow("reads no input any more");
});

test("a session that ends takes its process with it, also one that was never read", async () => {
  const { address, app } = await startedExec("yes");
  const api = open(`ws://${address}/api`);
  await until(() => app.stats().processes === 1);
  api[Symbol.dispose]();
  await until(() => app.stats().processes === 0);
  expect(app.stats().sessions).toBe(0);
});

test("a server that stops fails the stream with its reason", async () => {
  const { address, app } = await startedExec("echo one; sleep 60");
  const api = open(`ws://${address}/api`);
  const reader = ((await api.output()) as ReadableStream<string[]>).getReader();
  expect((await reader.read()).value).toEqual(["one"]);
  const end = reader.read();
  end.catch(() => {});
  await app.close();
  await expect(end).rejects.toMatchObject({ code: "shutting_down" });
});

test("lines that nobody takes are bounded, and who waits for each never meets the bound", async () => {
  const { address } = await startedExec("echo ready; read -r line; sleep 60");
  const api = open(`ws://${address}/api`);
  await ((await api.output()) as ReadableStream<string[]>).getReader().read();
  const line = "x".repeat(500_000);
  const calls = Array.from({ length: 8 }, () => api.write(line).then(String, String));
  const refused = await Promise.race(calls.slice(4));
  expect(refused).toContain("Expected at most 1048576 bytes of input to wait");
});

test("a client may leave between the end of the output and the word of it", async () => {
  const env = { PATH: process.env["PATH"]! };
  const args = ["-c", "echo one; exec >&-; sleep 60"];
  const program = await startProgram({ command: "sh", args, env, input: true, onStderr: () => {} });
  const relay = new Relay(program, { binary: false });
  const budget = new CallBudget({ maxCalls: 1, maxBytes: 1 });
  const session = new ProgramSession(relay, { binary: false, budget, onError: () => {} });
  const reader = (await session.output()).getReader();
  expect((await reader.read()).value).toEqual(["one"]);
  const failures: unknown[] = [];
  const note = (error: unknown) => failures.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  await until(() => program.stdout.readableEnded);
  await reader.cancel();
  await relay.gone;
  expect(failures).toEqual([]);
});

test("nothing but its four calls can be reached", async () => {
  const { address } = await startedExec("sleep 60");
  const api = open(`ws://${address}/api`) as unknown as Record<string, () => Promise<unknown>>;
  for (const name of ["relay", "program", "pour", "stop", "stats"]) {
    await expect(api[name]!()).rejects.toThrow();
  }
});

/** Over RPC a reader begins at a cursor; this finds the one that it means. */
import type { RpcStub } from "capnweb";
import type { PushApi } from "../../server/contract.ts";
import { cursorAt, cursorBefore, offsetOf } from "../cursor.ts";
import type { Place } from "../transport.ts";

/**
 * The cursor is known before anything is waited for, so a reader that is cut off loses nothing.
 * Rejects with what the server says against the topic or the place.
 */
export async function cursorOf(
  api: Pick<RpcStub<PushApi>, "read" | "topics">,
  topic: string,
  { after = "latest", last }: Place,
): Promise<string> {
  if (after === "latest" && last !== undefined) {
    const info = (await api.topics()).find((one) => one.topic === topic);
    if (info) return cursorAt(info.cursor, offsetOf(info.cursor) - Math.min(last, info.events));
  }
  return cursorBefore(await api.read(topic, { after, limit: 1 }));
}

/**
 * How deliveries look on the wire. A batch's frame is made once for all sessions where it goes to
 * the same place, and it nearly always does: a client's first callback is -1, its first pipe 1.
 *
 *      listen   ["push",["pipeline",-1,[],[BATCH]]] ["pull",7] ["release",6,1]    in one write
 *      tail     ["push",["pipeline",1,["write"],[BATCH]]]                         the same for all
 */
import { serialize } from "capnweb";
import type { Batch } from "../../contract.ts";
import { textFrame } from "../../wire/text-frame.ts";

// Each place is a copy of the batch; for rarer ones a frame is made when it is needed, and forgotten.
const CACHED_PLACES = 2;

// Up to here a copy costs less than a second buffer in the same write.
const COPIED_BYTES = 16 * 1024;

/** What stands before the parameters of a call. */
export type Place = string;

export function callbackPlace(id: number): Place {
  return `["push",["pipeline",${id},[],`;
}

/** @param kind a `stream` is answered without being asked, and releases itself */
export function pipePlace(kind: "push" | "stream", id: number, method: "write" | "abort"): Place {
  return `["${kind}",["pipeline",${id},["${method}"],`;
}

export function releaseText(id: number): string {
  return `["release",${id},1]`;
}

/** The call of a place with one value, in the library's own notation: arrays are doubled in it. */
export function callFrame(place: Place, value: unknown): Buffer {
  return textFrame(`${place}${parameters(value)}]]`);
}

/** The same for a batch, which many get. */
export function batchFrame(place: Place, batch: Batch): Buffer {
  let made = cache.get(batch);
  if (!made) cache.set(batch, (made = { parameters: parameters(batch), frames: new Map() }));
  let frame = made.frames.get(place);
  if (frame) return frame;
  frame = textFrame(`${place}${made.parameters}]]`);
  if (made.frames.size < CACHED_PLACES) made.frames.set(place, frame);
  return frame;
}

/**
 * Frames for one client alone, of less than 126 ASCII characters each: such text is its own UTF-8
 * and its own Latin-1, and the frame's head is two bytes.
 */
export function shortFrames(...texts: readonly string[]): string {
  let frames = "";
  for (const text of texts) frames += `\x81${String.fromCharCode(text.length)}${text}`;
  return frames;
}

/** A frame that many get, and short ones for one of them: what goes out in one write. */
export function followedBy(frame: Buffer, short: string): Buffer[] {
  if (frame.length > COPIED_BYTES) return [frame, Buffer.from(short, "latin1")];
  const bytes = Buffer.allocUnsafe(frame.length + short.length);
  frame.copy(bytes);
  bytes.write(short, frame.length, "latin1");
  return [bytes];
}

interface Made {
  readonly parameters: string;
  readonly frames: Map<Place, Buffer>;
}

const cache = new WeakMap<Batch, Made>();

/** `[VALUE]` as it stands in a call, out of the `[[VALUE]]` of a list. */
function parameters(value: unknown): string {
  return serialize([value]).slice(1, -1);
}

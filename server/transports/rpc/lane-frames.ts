/**
 * How deliveries look on the wire. A batch's frame is made once for all sessions where it goes to
 * the same place, and it nearly always does: a client's first callback is -1, its first pipe 1.
 *
 *      listen   ["push",["pipeline",-1,[],[BATCH]]] ["pull",7] ["release",6,1]    in one write
 *      tail     ["push",["pipeline",1,["write"],[BATCH]]]                         the same for all
 */
import { serialize } from "capnweb";
import type { Batch } from "../../contract.ts";
import { MAX_FRAME_HEAD, TEXT_FRAME, textFrame, writeFrameHead } from "../../wire/text-frame.ts";

// Each place is a copy of the batch; for rarer ones a frame is made when it is needed, and forgotten.
const CACHED_PLACES = 2;

// Up to here a copy costs less than a second buffer in the same write.
const COPIED_BYTES = 16 * 1024;

/** What one message, or several, are on the wire: usually one buffer, and one write either way. */
export type Frames = Buffer | readonly Buffer[];

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
  if (batch === last.batch && place === last.place) return last.frame;
  const made = madeOf(batch);
  let frame = made.frames.get(place);
  if (!frame) {
    frame = textFrame(`${place}${made.parameters}]]`);
    if (made.frames.size < CACHED_PLACES) made.frames.set(place, frame);
  }
  last = { batch, place, frame };
  return frame;
}

/** The same with the result of an earlier call as a second parameter. */
export function followingFrames(place: Place, batch: Batch, call: number): Frames {
  const made = madeOf(batch);
  // Without the bracket that ends the parameters: another one follows.
  const shared = (made.bytes ??= Buffer.from(made.parameters.slice(0, -1)));
  const end = `,["pipeline",${call}]]]]`;
  const length = place.length + shared.length + end.length;
  const isCopied = shared.length <= COPIED_BYTES;
  const bytes = Buffer.allocUnsafe(MAX_FRAME_HEAD + (isCopied ? length : place.length));
  let at = writeFrameHead(bytes, 0, TEXT_FRAME, length);
  at += bytes.write(place, at, "latin1");
  if (!isCopied) return [bytes.subarray(0, at), shared, Buffer.from(end, "latin1")];
  at += shared.copy(bytes, at);
  at += bytes.write(end, at, "latin1");
  return bytes.subarray(0, at);
}

/**
 * Frames for one client alone, of less than 126 ASCII characters each: such text is its own UTF-8
 * and its own Latin-1, and the frame's head is two bytes.
 */
export function shortFrames(texts: readonly string[]): Buffer {
  let frames = "";
  for (const text of texts) frames += `\x81${String.fromCharCode(text.length)}${text}`;
  return Buffer.from(frames, "latin1");
}

/** Frames, and short ones behind them. */
export function followedBy(frames: Frames, short: Buffer): Frames {
  if (!Buffer.isBuffer(frames)) return [...frames, short];
  return frames.length > COPIED_BYTES ? [frames, short] : Buffer.concat([frames, short]);
}

export function byteLength(frames: Frames): number {
  return Buffer.isBuffer(frames)
    ? frames.length
    : frames.reduce((sum, { length }) => sum + length, 0);
}

interface Made {
  readonly parameters: string;
  /** The beginning of the parameters. */
  bytes?: Buffer;
  readonly frames: Map<Place, Buffer>;
}

const cache = new WeakMap<Batch, Made>();
/** Nearly all who are woken together get the same. */
let last = {} as { batch?: Batch; place?: Place; frame: Buffer };

function madeOf(batch: Batch): Made {
  let made = cache.get(batch);
  if (!made) cache.set(batch, (made = { parameters: parameters(batch), frames: new Map() }));
  return made;
}

/** `[VALUE]` as it stands in a call, out of the `[[VALUE]]` of a list. */
function parameters(value: unknown): string {
  return serialize([value]).slice(1, -1);
}

/**
 * Each push, stream and pipe takes the next id in the client's table. The library numbers those it
 * sends, but deliveries go out without it, and a few of its messages never do. So an id of the
 * library's is one thing and the client's id for the same another.
 *
 *      the library    1        2     3        kept here: 1 and 3
 *      on the wire       1  2  3  4     5     the library's 2; deliveries: 1, 2, 4, 5
 */
interface Sent {
  readonly library: number;
  readonly wire: number;
  /** Its answer releases it. */
  readonly once: boolean;
}

/** Holds an entry for each message of the library's that is not released yet: nearly always none. */
export class Ids {
  #libraryIds = 0;
  #wireIds = 0;
  #byLibrary: Map<number, Sent> | undefined;
  #byWire: Map<number, Sent> | undefined;

  /** How many ids of the library's are on the wire. */
  get size(): number {
    return this.#byLibrary?.size ?? 0;
  }

  /** A message goes out that the library knows nothing of. @returns its id on the wire */
  take(): number {
    return (this.#wireIds += 1);
  }

  /** A message of the library's stays here. @returns its id in the library */
  keep(): number {
    return (this.#libraryIds += 1);
  }

  /** A message of the library's goes out. */
  send({ once }: { once: boolean }): void {
    const sent = { library: this.keep(), wire: this.take(), once };
    (this.#byLibrary ??= new Map()).set(sent.library, sent);
    (this.#byWire ??= new Map()).set(sent.wire, sent);
  }

  /** What the client calls what the library calls `libraryId`; undefined for what was kept. */
  toWire(libraryId: number): number | undefined {
    return this.#byLibrary?.get(libraryId)?.wire;
  }

  /** Who is answered by an answer to `wireId`; undefined when it is nobody in the library. */
  answered(wireId: number): number | undefined {
    const sent = this.#byWire?.get(wireId);
    if (sent?.once) this.forget(sent.library);
    return sent?.library;
  }

  /** Released by the library, or taken over from it. */
  forget(libraryId: number): void {
    const sent = this.#byLibrary?.get(libraryId);
    if (!sent) return;
    this.#byLibrary!.delete(sent.library);
    this.#byWire!.delete(sent.wire);
  }
}

/** Does what it is given one after the other, in the order in which it was given. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve();

  /** What has failed does not stop what follows. */
  add<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // whoever asked for it is told
    return done;
  }
}

/**
 * What a command prints for other programs: line by line, no faster than it is taken. A reader that
 * leaves (`| head -1`) ends the command, without a word.
 */
export class Output {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream = process.stdout) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      console.error(`Cannot write: ${error.message}`);
      process.exit(1);
    });
  }

  /** Bytes that nobody has taken yet. */
  get waiting(): number {
    return this.#stream.writableLength;
  }

  /** Undefined when there is room for more; else wait for it. */
  write(text: string): Promise<void> | undefined {
    if (this.#stream.write(text)) return undefined;
    return new Promise((resolve) => this.#stream.once("drain", resolve));
  }

  /** Resolves when everything has been taken, this too. */
  last(text: string): Promise<void> {
    return new Promise((resolve) => this.#stream.write(text, () => resolve()));
  }
}

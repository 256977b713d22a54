/** Runs the console's snippet in the page itself, and shows what it would have logged. */
const LINES = 8;

export class Console {
  readonly #button: HTMLButtonElement;
  readonly #output: HTMLElement;
  #sources: EventSource[] = [];

  /** `button` starts and stops it; `output` is a list, empty. */
  constructor(button: HTMLButtonElement, output: HTMLElement) {
    this.#button = button;
    this.#output = output;
    button.addEventListener("click", () => {
      if (this.#sources.length > 0) this.stop();
      else this.#start();
    });
  }

  /** Callable twice. */
  stop(): void {
    for (const source of this.#sources) source.close();
    this.#sources = [];
    this.#button.textContent = "run it here";
    this.#button.ariaExpanded = String(!this.#output.hidden);
  }

  #start(): void {
    this.#output.replaceChildren();
    this.#output.hidden = false;
    this.#listen("/api/time", "time");
    this.#listen("/api/client-count", "client-count");
    this.#button.textContent = "stop it";
    this.#button.ariaExpanded = "true";
  }

  #listen(path: string, event: string): void {
    const source = new EventSource(path);
    source.addEventListener(event, ({ data }: MessageEvent<string>) => this.#show(event, data));
    this.#sources.push(source);
  }

  #show(event: string, data: string): void {
    const line = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = event;
    line.append(name, " ", data);
    this.#output.prepend(line);
    while (this.#output.children.length > LINES) this.#output.lastElementChild?.remove();
  }
}

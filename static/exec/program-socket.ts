/**
 * A program, from its start to its end: the server starts it for this WebSocket and ends it with it.
 * One that has ended is not started again by itself.
 */
import { type Ending, endingOf, STOPPED } from "./ending.ts";

export type ProgramState =
  { readonly state: "starting" | "running" } | ({ readonly state: "ended" } & Ending);

export interface ProgramEvents {
  onState: (state: ProgramState) => void;
  /** A line it has printed. */
  onLine: (line: string) => void;
  /** Part of what it has printed, wherever that begins and ends. */
  onChunk: (bytes: ArrayBuffer) => void;
}

export class ProgramSocket {
  readonly #url: string;
  readonly #events: ProgramEvents;
  #socket: WebSocket | undefined;

  constructor(url: string, events: ProgramEvents) {
    this.#url = url;
    this.#events = events;
  }

  run(): void {
    if (this.#socket) return;
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    this.#events.onState({ state: "starting" });
    socket.addEventListener("open", () => {
      opened = true;
      this.#events.onState({ state: "running" });
    });
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.#events.onLine(data);
      else this.#events.onChunk(data);
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#end(endingOf(event, opened));
    });
  }

  /** False when it does not run, so nobody has taken the line. */
  send(line: string): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(line); // a text frame is a line, and the server adds its end
    return true;
  }

  /**
   * At once, whatever is on its way: of a socket that is closing a browser hands out nothing more
   * (WHATWG WebSockets, feedback from the protocol). Callable twice.
   */
  stop(): void {
    if (!this.#socket) return;
    this.#socket.close();
    this.#end(STOPPED);
  }

  #end(ending: Ending): void {
    this.#socket = undefined;
    this.#events.onState({ state: "ended", ...ending });
  }
}

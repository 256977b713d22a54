/**
 * A program over a plain WebSocket, the Unix way: each line it prints is a text frame, and each
 * text frame it is sent is a line of its input; a binary frame goes in as it is. With `binary` its
 * output goes out as it comes, in binary frames.
 */
import type { Writable } from "node:stream";
import type { WebSocket } from "ws";
import { ERRORS, PushError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { closeReason } from "../wire/close-reason.ts";
import { keepPinging } from "../wire/ping.ts";
import type { Upgraded } from "../wire/upgrade.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { describeExit, type Ending, type Relay, type Sink } from "./relay.ts";

export interface FramesOptions {
  /** The same for all connections. */
  frames: FrameWriter;
  binary: boolean;
  limits: Limits;
}

export function relayFrames(
  { socket, connection }: Upgraded,
  relay: Relay,
  { frames, binary, limits }: FramesOptions,
): void {
  // Who has not taken what was sent cannot have seen a ping, and a program cannot be resumed. One that
  // has vanished is found by TCP, which sends again for a quarter of an hour (tcp(7), tcp_retries2).
  keepPinging(socket, limits, () => connection.writableLength > 0);
  socket.on("error", ignore); // `close` follows, with the right code
  socket.once("close", () => relay.leave());
  if (relay.program.stdin) takeInput(socket, relay.program.stdin);
  const sink: Sink = {
    write: (output) => {
      if (socket.readyState !== socket.OPEN) return true;
      // Straight to the connection: `ws` would write each line by itself.
      const room = binary
        ? frames.writeBytes(connection, output)
        : frames.writeLines(connection, output);
      if (!room) connection.once("drain", () => relay.wake());
      return room;
    },
    end: (ending) => {
      const { code, reason } = lastWord(ending);
      socket.resume(); // a paused socket would not see the peer's close frame
      // `ws` gives a client 30 s from here. They begin when it has taken what came before.
      connection.write(NOTHING, () => socket.close(code, reason));
    },
  };
  relay.pour(sink);
}

/**
 * While the program does not take its input, the client is not read from. Whether it has gone shows
 * then only when something is sent to it, so it is pinged often.
 */
function takeInput(socket: WebSocket, stdin: Writable): void {
  let looking: NodeJS.Timeout | undefined;
  let gathered: Buffer[] = [];
  const give = () => {
    const input = gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered);
    gathered = [];
    if (!stdin.writable || stdin.write(input)) return; // who reads no more may still print
    socket.pause();
    looking ??= setInterval(() => socket.ping(), LOOK_MS);
  };
  const goOn = () => {
    clearInterval(looking);
    looking = undefined;
    socket.resume();
  };
  socket.on("message", (message: Buffer, isBinary) => {
    // All messages of one chunk come in one turn; they are one write.
    if (gathered.length === 0) process.nextTick(give);
    gathered.push(message);
    if (!isBinary) gathered.push(NEWLINE);
  });
  stdin.on("drain", goOn);
  stdin.once("close", goOn);
  socket.once("close", () => clearInterval(looking));
}

const LOOK_MS = 1_000;

function lastWord(ending: Ending): { code: number; reason: string } {
  if (ending instanceof PushError) return told(ending);
  const { exit } = ending;
  if (!exit || exit.code === 0) return { code: 1000, reason: "" };
  return told(new PushError("program_failed", describeExit(exit)));
}

function told(reason: PushError): { code: number; reason: string } {
  return { code: ERRORS[reason.code].close, reason: closeReason(reason) };
}

const NEWLINE = Buffer.from("\n");
const NOTHING = Buffer.alloc(0);

function ignore(): void {}

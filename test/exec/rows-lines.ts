/** Lines and frames: what a program prints and reads, and what its client gets and sends. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Flags, type Row, sh, type Side } from "./row.ts";

const BINARY: Flags = { websocketd: ["--binary"], exec: ["--binary"] };

/** What it was sent as a line each, in brackets. */
const BRACKETS = sh(`while IFS= read -r line; do printf '<%s>\\n' "$line"; done`);

const MEBIBYTE = 1_024 * 1_024;

async function printed(side: Side, command: readonly string[]): Promise<string[]> {
  return (await (await side.run(command)).toEnd()).lines;
}

export const LINES: readonly Row[] = [
  {
    name: "a line ends with \\n or \\r\\n",
    see: (side) => printed(side, ["printf", "a\\nb\\r\\nc\\r\\r\\nd\\re\\n"]),
    same: ["a", "b", "c\r", "d\re"],
  },
  {
    name: "an empty line is an empty frame",
    see: (side) => printed(side, ["printf", "\\na\\n\\r\\n\\n"]),
    same: ["", "a", "", ""],
  },
  {
    name: "each line is a text frame",
    see: async (side) => {
      const client = await side.run(["printf", "one\\ntwo\\n"]);
      await client.closed;
      return client.frames.map(({ binary }) => binary);
    },
    same: [false, false],
  },
  {
    name: "a NUL, a tab and letters of many bytes arrive",
    see: (side) => printed(side, ["printf", "a\\000b\\n\\t\\nünï ☃ 😀\\n"]),
    same: ["a\0b", "\t", "ünï ☃ 😀"],
  },
  {
    name: "all that was printed comes, in order, before the end",
    see: async (side) => {
      const lines = await printed(side, ["seq", "100000"]);
      return lines.length === 100_000 && lines.every((line, index) => line === `${index + 1}`);
    },
    same: true,
  },
  {
    name: "and so it does for two clients that begin to read late",
    see: async (side) => {
      const server = await side.start(["seq", "-f", "%0500g", "30000"]);
      const late = async () => {
        const client = await side.visit(server);
        client.socket.pause();
        await sleep(500); // so that much is on its way; what comes is the same in any case
        client.socket.resume();
        const { lines } = await client.toEnd();
        const right = (line: string, index: number) => line === `${index + 1}`.padStart(500, "0");
        return lines.length === 30_000 && lines.every(right);
      };
      return Promise.all([late(), late()]);
    },
    same: [true, true],
  },
  {
    name: "the seed's handle.sh counts from 1 to 10 and closes",
    see: (side) => printed(side, ["test/support/programs/handle.sh", "0.01"]),
    same: ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
  },
  {
    name: "a frame becomes one line of stdin",
    see: async (side) => {
      const client = await side.run(BRACKETS);
      for (const text of ["a", "", " b  c\t", "ünï ☃ 😀", "$(id) `id` \\n '\""]) client.send(text);
      return client.first(5);
    },
    same: ["<a>", "<>", "< b  c\t>", "<ünï ☃ 😀>", "<$(id) `id` \\n '\">"],
  },
  {
    name: "a frame with a newline in it is not changed: it is two lines",
    see: async (side) => {
      const client = await side.run(BRACKETS);
      client.send("one\ntwo");
      client.send("three\r\n");
      return client.first(4);
    },
    same: ["<one>", "<two>", "<three\r>", "<>"],
  },
  {
    name: "a frame of 100 KB is one line of stdin",
    see: async (side) => {
      const client = await side.run(sh('read -r line; echo "${#line}"'));
      client.send("x".repeat(100 * 1_024));
      return client.first(1);
    },
    same: ["102400"],
  },
  {
    name: "10,000 frames come back from cat in their order",
    see: async (side) => {
      const client = await side.run(["cat"]);
      for (let count = 0; count < 10_000; count += 1) client.send(String(count));
      const lines = await client.first(10_000);
      return lines.every((line, index) => line === String(index));
    },
    same: true,
  },
  {
    name: "a binary frame is bytes of stdin, and no newline is added",
    see: async (side) => {
      const client = await side.run(BRACKETS);
      client.send(Buffer.from("begin"));
      client.send("end");
      return client.first(1);
    },
    same: ["<beginend>"],
  },
  {
    name: "--binary: bytes come as they are, and go in as they are",
    see: async (side) => {
      const client = await side.run(["cat"], BINARY);
      const bytes = Buffer.from([0, 0xff, 0x0a, 0x0d, 0x0a, 0xc3]);
      client.send(bytes);
      await client.bytes(bytes.length);
      client.send(bytes);
      const all = await client.bytes(2 * bytes.length);
      return { bytes: all.toString("hex"), binary: client.frames.every(({ binary }) => binary) };
    },
    same: { bytes: "00ff0a0d0ac300ff0a0d0ac3", binary: true },
  },
  {
    name: "--binary: a text frame is a line of stdin all the same",
    see: async (side) => {
      const client = await side.run(["cat"], BINARY);
      client.send("line");
      return (await client.bytes(5)).toString();
    },
    same: "line\n",
  },
  {
    name: "--binary: what no newline ends comes at once",
    see: async (side) => {
      const client = await side.run(sh("printf 'name? '; read -r name"), BINARY);
      return (await client.bytes(6)).toString();
    },
    same: "name? ",
  },
  {
    name: "the last line without a newline",
    see: (side) => printed(side, ["printf", "first\\nlast"]),
    websocketd: ["first"],
    exec: ["first", "last"],
  },
  {
    name: "invalid UTF-8 (the client must fail a text frame that has it)",
    see: (side) => printed(side, ["printf", "a\\377b\\nnext\\n"]),
    websocketd: [],
    exec: ["a\uFFFDb", "next"],
  },
  {
    name: "a line of 1 MiB and one of a byte more",
    see: async (side) => {
      const line = (bytes: number) => sh(`head -c ${bytes} /dev/zero | tr '\\0' x; echo`);
      const seen = [];
      for (const bytes of [MEBIBYTE, MEBIBYTE + 1]) {
        const { lines, code } = await (await side.run(line(bytes))).toEnd();
        seen.push([lines.map(({ length }) => length), code]);
      }
      return seen;
    },
    websocketd: [
      [[MEBIBYTE], 1006],
      [[MEBIBYTE + 1], 1006],
    ],
    exec: [
      [[MEBIBYTE], 1000],
      [[], 1009],
    ],
  },
];

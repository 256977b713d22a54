/** The bytes that are made once for all clients, read back by Node's and ws's own clients and by hand. */
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { encodeOnce } from "../../../server/wire/encode-once.ts";
import { chunk, type HttpStream, openHttpStream } from "../../../server/wire/http-stream.ts";
import { textFrame } from "../../../server/wire/text-frame.ts";
import { survivors } from "../../support/collect-garbage.ts";
import { parseFrames } from "../../support/parse-frames.ts";
import { property } from "../../support/property.ts";
import { until } from "../../support/until.ts";

/** Around each length that changes a frame's head; in bytes also of letters that take 2, 3 and 4. */
const LENGTHS = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 300_000];
const LETTERS = ["x", "é", "€", "😀"];
const texts = LENGTHS.flatMap((length) => LETTERS.map((letter) => textOf(length, letter)));

/** `length` bytes in UTF-8, of `letter` as far as it goes. */
function textOf(length: number, letter: string): string {
  const size = Buffer.byteLength(letter);
  return letter.repeat(Math.floor(length / size)) + "x".repeat(length % size);
}

/** A difference of megabytes says nothing to anybody. */
function sameTexts(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((text, index) => text === others[index]);
}

describe("a text frame", () => {
  test("has the head that its length in bytes asks for", () => {
    const head = (length: number) => textFrame("x".repeat(length)).toString("hex", 0, 10);
    expect(head(0)).toBe("8100");
    expect(head(125)).toMatch(/^817d78/);
    expect(head(126)).toMatch(/^817e007e78/);
    expect(head(65_535)).toMatch(/^817effff78/);
    expect(head(65_536)).toBe("817f0000000000010000");
    expect(textFrame("€".repeat(42)).toString("hex", 0, 5)).toBe("817e007ee2");
  });

  test("of any length and any letters is read back, one after the other", () => {
    const frames = parseFrames(Buffer.concat(texts.map(textFrame)));
    expect(frames.rest).toHaveLength(0);
    expect(
      sameTexts(
        frames.map(({ text }) => text),
        texts,
      ),
    ).toBe(true);
    expect(new Set(frames.map(({ opcode }) => opcode))).toEqual(new Set([1]));
  });

  test("arrives at a ws client, whatever its text and wherever the bytes are cut", async () => {
    const { connection, got } = await openPair();
    const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 99 }));
    await property([fc.array(fc.string({ unit: "binary" })), cuts], async (sent, sizes) => {
      got.length = 0;
      let bytes = Buffer.concat(sent.map(textFrame));
      for (const size of sizes) {
        if (bytes.length === 0) break;
        connection.write(bytes.subarray(0, size));
        bytes = bytes.subarray(size);
      }
      await until(() => got.length >= sent.length);
      // What is no text by itself, half of a pair, has no UTF-8.
      expect(got).toEqual(sent.map((text) => Buffer.from(text).toString()));
    });
  });

  test("of any length arrives at a ws client", async () => {
    const { connection, got } = await openPair();
    for (const text of texts) connection.write(textFrame(text));
    await until(() => got.length >= texts.length);
    expect(sameTexts(got, texts)).toBe(true);
  });
});

/** A server's connection to a ws client, and what that has got. */
async function openPair() {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => client.terminate());
  const got: string[] = [];
  client.on("message", (data, isBinary) => {
    got.push(isBinary ? "binary" : (data as Buffer).toString());
  });
  const [, { socket: connection }] = (await once(server, "connection")) as [
    WebSocket,
    IncomingMessage,
  ];
  return { connection, got };
}

describe("a chunk", () => {
  test("is the length in bytes, the text, and two line breaks", () => {
    expect(chunk("x".repeat(26)).toString()).toBe(`1a\r\n${"x".repeat(26)}\r\n`);
    expect(chunk("€😀").toString()).toBe("7\r\n€😀\r\n");
    expect(chunk("\r\n0\r\n\r\n").toString()).toBe("7\r\n\r\n0\r\n\r\n\r\n");
  });

  test("of nothing is nothing: it does not end the answer", () => {
    expect(chunk("")).toHaveLength(0);
  });
});

describe("a stream of texts", () => {
  const whole = Buffer.from(`${texts.join("")}the end`); // too long to be shown

  async function streamed(write: (stream: HttpStream) => void, ask: string): Promise<Buffer> {
    const server = createServer((_request, response) => {
      const stream = openHttpStream(response, {});
      write(stream);
      stream.end("the end");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const parts: Buffer[] = [];
    if (ask === "") {
      const [response] = (await once(get({ port, agent: false }), "response")) as [
        NodeJS.ReadableStream,
      ];
      for await (const part of response) parts.push(part as Buffer);
      return Buffer.concat(parts);
    }
    const socket = connect(port, "127.0.0.1");
    socket.write(ask);
    for await (const part of socket) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    return bytes.subarray(bytes.indexOf("\r\n\r\n") + 4);
  }

  const write = (stream: HttpStream) => {
    for (const text of texts) stream.writeChunk(chunk(text));
  };

  test("is read back whole by Node's client", async () => {
    expect((await streamed(write, "")).equals(whole)).toBe(true);
  });

  test("is one chunk each, that of nothing left out", async () => {
    const bytes = await streamed(write, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const lines = texts.filter((text) => text !== "").map((text) => chunk(text));
    expect(
      bytes.equals(Buffer.concat([...lines, chunk("the end"), Buffer.from("0\r\n\r\n")])),
    ).toBe(true);
  });

  test("over HTTP/1.0 is the bare text", async () => {
    const bytes = await streamed(write, "GET / HTTP/1.0\r\n\r\n");
    expect(bytes.equals(whole)).toBe(true);
  });
});

describe("what is encoded once", () => {
  test("is made once, though others are asked for in between, and never for another batch", () => {
    let made = 0;
    const bytesOf = encodeOnce(({ cursor }) => Buffer.from(`${cursor} ${(made += 1)}`));
    const [a, b] = [batch("a"), batch("b")];
    expect([a, a, b, b, a, batch("a")].map((one) => bytesOf(one).toString())).toEqual([
      "a 1",
      "a 1",
      "b 2",
      "b 2",
      "a 1",
      "a 3",
    ]);
  });

  test("is forgotten with its batch", async () => {
    const bytesOf = encodeOnce(({ cursor }) => Buffer.from(cursor));
    const made = ["a", "b", "c"].map((name) => new WeakRef(bytesOf(batch(name))));
    expect(await survivors(made)).toBe(1); // the newest
  });

  test("is no other's when one cannot be encoded", () => {
    const bytesOf = encodeOnce(({ cursor }) => {
      if (cursor === "bad") throw new Error("bad");
      return Buffer.from(cursor);
    });
    const [good, bad] = [batch("good"), batch("bad")];
    expect(bytesOf(good).toString()).toBe("good");
    expect(() => bytesOf(bad)).toThrow("bad");
    expect(() => bytesOf(bad)).toThrow("bad");
    expect(bytesOf(good).toString()).toBe("good");
  });

  const batch = (cursor: string) => ({ events: [], cursor });
});

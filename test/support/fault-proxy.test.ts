/** The faults of the storms do what they say, or the storms would prove nothing. */
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { ENDINGS, type Ending, type Fault, startedFaultProxy } from "./fault-proxy.ts";
import { type HttpFault, startedHttpFaultProxy } from "./fault-proxy-http.ts";
import { until } from "./until.ts";

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A server that notes what it is told, behind a proxy whose first connection has this fault. */
async function behindProxy(fault: Fault) {
  const accepted: Socket[] = [];
  const heard: string[] = [];
  const server = createServer((socket) => {
    const index = accepted.push(socket) - 1;
    heard.push("");
    socket.on("error", () => {});
    socket.on("data", (bytes) => (heard[index] += bytes.toString()));
  });
  const port = await listening(server);
  onTestFinished(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  const proxy = await startedFaultProxy(port, (index) => (index === 0 ? fault : {}));
  return { accepted, heard, proxy };
}

/** A client that notes what it is told, and how it ends. */
function dial(url: string) {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const client = { socket, got: "", ends: [] as string[] };
  socket.on("data", (bytes) => (client.got += bytes.toString()));
  socket.on("end", () => client.ends.push("end"));
  socket.on("error", (error: Error & { code: string }) => client.ends.push(error.code));
  socket.on("close", () => client.ends.push("close"));
  onTestFinished(() => void socket.destroy());
  return client;
}

/** By now everything else would have arrived as well: another connection has been there and back. */
async function roundTrip({ accepted, proxy }: Awaited<ReturnType<typeof behindProxy>>) {
  const before = accepted.length;
  const other = dial(proxy.url);
  await until(() => accepted.length > before);
  accepted.at(-1)!.write("pong");
  await until(() => other.got === "pong");
  other.socket.destroy();
}

describe("a connection without a fault", () => {
  test("passes everything both ways, and the end of both sides", async () => {
    const server = await behindProxy({});
    const client = dial(server.proxy.url);
    client.socket.write("question");
    await until(() => server.heard[0] === "question");
    server.accepted[0]!.end("answer");
    await until(() => client.ends.includes("close"));
    expect(client).toMatchObject({ got: "answer", ends: ["end", "close"] });
    expect(server.proxy.passed).toEqual([6]);

    const leaver = dial(server.proxy.url);
    leaver.socket.write("question");
    await until(() => server.heard[1] === "question");
    expect(server.proxy.connections()).toBe(1);
    leaver.socket.destroy();
    await until(() => server.accepted[1]!.closed);
    await until(() => server.proxy.connections() === 0);
  });

  test("ends when the test cuts it, and the next one is accepted", async () => {
    const server = await behindProxy({});
    const client = dial(server.proxy.url);
    await until(() => server.accepted.length === 1);
    server.proxy.cut();
    await until(() => client.socket.closed && server.accepted[0]!.closed);
    await roundTrip(server);
  });
});

describe("a connection that ends after 3 bytes", () => {
  const afterThree = async (ending: Ending) => {
    const server = await behindProxy({ afterBytes: 3, ending });
    const client = dial(server.proxy.url);
    await until(() => server.accepted.length === 1);
    server.accepted[0]!.write("12345");
    await until(() => server.proxy.passed[0] === 3);
    return { server, client };
  };

  test("by a cut: both sides are told", async () => {
    const { server, client } = await afterThree("cut");
    await until(() => client.socket.closed && server.accepted[0]!.closed);
    expect(client).toMatchObject({ got: "123", ends: ["end", "close"] });
  });

  test.each<Ending>(["stall", "server-gone", "client-gone"])(
    "by %s: nothing passes any more, and who is not told does not know",
    async (ending) => {
      const { server, client } = await afterThree(ending);
      await until(() => client.got === "123");
      if (ending === "client-gone") await until(() => client.socket.closed);
      if (ending === "server-gone") await until(() => server.accepted[0]!.closed);
      if (!client.socket.closed) client.socket.write("are you there?");
      if (!server.accepted[0]!.closed) server.accepted[0]!.write("678");
      await roundTrip(server);
      expect(client.got).toBe("123");
      expect(server.heard[0]).toBe("");
      expect(client.socket.closed).toBe(ending === "client-gone");
      expect(server.accepted[0]!.closed).toBe(ending === "server-gone");
    },
  );

  test("0 bytes: the question arrives, the answer does not", async () => {
    const server = await behindProxy({ afterBytes: 0 });
    const client = dial(server.proxy.url);
    client.socket.write("question");
    await until(() => server.heard[0] === "question");
    server.accepted[0]!.write("answer");
    await until(() => client.ends.includes("close"));
    expect(client).toMatchObject({ got: "", ends: ["end", "close"] });
  });
});

describe("a connection that ends after a time", () => {
  test.each(ENDINGS)("of 0 ms by %s has never passed anything", async (ending) => {
    const server = await behindProxy({ afterMs: 0, ending });
    const client = dial(server.proxy.url);
    client.socket.write("question");
    if (!["stall", "server-gone"].includes(ending)) await until(() => client.socket.closed);
    await roundTrip(server);
    expect(server.heard).toEqual([""]); // that of the round trip
    expect(client.got).toBe("");
  });

  test("by a reset tells both sides rudely", async () => {
    const server = await behindProxy({ afterMs: 50, ending: "reset" });
    const client = dial(server.proxy.url);
    await until(() => client.socket.closed && server.accepted[0]!.closed);
    expect(client.ends).toEqual(["ECONNRESET", "close"]);
    expect(server.accepted[0]!.errored).toMatchObject({ code: "ECONNRESET" });
  });

  test("of 50 ms lives no shorter", async () => {
    const server = await behindProxy({ afterMs: 50 });
    const begun = performance.now();
    const client = dial(server.proxy.url);
    await until(() => client.socket.closed);
    expect(performance.now() - begun).toBeGreaterThan(48); // timers are whole milliseconds
  });
});

describe("a slow connection", () => {
  test("delays each piece", async () => {
    const server = await behindProxy({ delayMs: 50 });
    const client = dial(server.proxy.url);
    await until(() => server.accepted.length === 1);
    const begun = performance.now();
    server.accepted[0]!.write("late");
    await until(() => client.got === "late");
    expect(performance.now() - begun).toBeGreaterThan(48);
  });

  test("passes so many bytes a second, also when the server has closed its side long ago", async () => {
    const server = await behindProxy({ bytesPerSecond: 200 });
    const client = dial(server.proxy.url);
    await until(() => server.accepted.length === 1);
    const begun = performance.now();
    server.accepted[0]!.end("x".repeat(40));
    await until(() => client.ends.includes("end"));
    expect(client.got).toBe("x".repeat(40));
    expect(performance.now() - begun).toBeGreaterThan(190);
  });
});

describe("a proxy that understands HTTP", () => {
  const behind = async (answer: RequestListener, fault: HttpFault = {}) => {
    const server = createHttpServer(answer);
    server.on("upgrade", (_request, socket: Socket) => {
      socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhi");
    });
    const port = await listening(server);
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const now = { fault };
    const proxy = await startedHttpFaultProxy(port, () => now.fault);
    return { url: proxy.url, now };
  };
  const handshake = async (url: string) => {
    const client = dial(url);
    const lines = ["GET /x HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: upgrade"];
    client.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    await until(() => /\r\n\r\n/.test(client.got));
    return client.got;
  };
  const echo: RequestListener = (request, answer) => {
    const { method, url, headers } = request;
    answer.writeHead(201, { "Content-Type": "text/plain" });
    answer.write(`${method} ${url} ${headers.upgrade} ${headers.accept} `);
    request.pipe(answer);
  };

  test("passes requests and handshakes", async () => {
    const { url } = await behind(echo);
    const answer = await fetch(`${url}/a?b=c`, {
      method: "POST",
      body: "body",
      headers: { Accept: "d" },
    });
    expect(answer.status).toBe(201);
    expect(await answer.text()).toBe("POST /a?b=c undefined d body");
    expect(await handshake(url)).toMatch(/^HTTP\/1.1 101 /);
  });

  test("refuses a handshake, or strips it of what makes it one", async () => {
    const { url, now } = await behind(echo, { upgrades: "refuse" });
    expect(await handshake(url)).toMatch(/^HTTP\/1.1 426 /);
    now.fault = { upgrades: "strip" };
    expect(await handshake(url)).toMatch(/^HTTP\/1.1 201 /);
    now.fault = {};
    expect(await handshake(url)).toMatch(/^HTTP\/1.1 101 /);
  });

  test("holds an answer back until it ends", async () => {
    let asked = 0;
    let finish = () => {};
    const { url, now } = await behind((_request, answer) => {
      asked += 1;
      answer.write("beginning ");
      finish = () => void answer.end("end");
    });
    const unheld = await fetch(url);
    expect(unheld.status).toBe(200); // before its end
    finish();
    await unheld.text();

    now.fault = { buffers: true };
    let answered = false;
    const held = fetch(url).finally(() => (answered = true));
    await until(() => asked === 2);
    await handshake(url); // there and back
    expect(answered).toBe(false);
    finish();
    expect(await (await held).text()).toBe("beginning end");
  });

  test("answers 502 by itself", async () => {
    let asked = 0;
    const { url } = await behind(() => (asked += 1), { badGateway: true });
    expect((await fetch(url)).status).toBe(502);
    expect(await handshake(url)).toMatch(/^HTTP\/1.1 502 /);
    expect(asked).toBe(0);
  });

  test("passes on that a client has left, and that the server has", async () => {
    let closed = false;
    const { url } = await behind((request, answer) => {
      answer.write("beginning");
      if (request.url === "/cut") return void setImmediate(() => answer.destroy());
      answer.once("close", () => (closed = true));
    });
    const leaving = new AbortController();
    await fetch(url, { signal: leaving.signal });
    leaving.abort();
    await until(() => closed);
    await expect(fetch(`${url}/cut`).then((answer) => answer.text())).rejects.toThrow();
  });
});

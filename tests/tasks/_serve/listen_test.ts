import assert from "node:assert/strict";
import { listen } from "../../../tasks/_serve/listen.ts";

Deno.test("a server ends when what was asked is answered, whoever began a request and sends no more", async () => {
  for (let turn = 0; turn < 5; turn++) {
    const asked = Promise.withResolvers<void>(), gate = Promise.withResolvers<void>();
    const server = listen({ host: "127.0.0.1", port: 0 }, async () => {
      asked.resolve();
      await gate.promise;
      return new Response("answer");
    });
    const heads = ["", "POST / HTTP/1.1\r\nHost: x\r\n"].map(async (head) => {
      const connection = await Deno.connect({ port: Number(new URL(server.url).port) });
      if (head !== "") await connection.write(new TextEncoder().encode(head));
      return connection;
    });
    const connections = await Promise.all(heads);
    const answer = fetch(server.url).then((response) => response.text());
    await asked.promise;
    let hasEnded = false;
    const ended = server.drain(30).then(() => hasEnded = true);
    await new Promise((resume) => setTimeout(resume, 10));
    assert.equal(hasEnded, false);
    gate.resolve();
    assert.equal(await answer, "answer");
    await ended;
    connections.forEach((connection) => connection.close());
  }
});

Deno.test("a server ends after its time, whoever waits", async () => {
  const gate = Promise.withResolvers<void>();
  const server = listen({ host: "127.0.0.1", port: 0 }, async () => {
    await gate.promise;
    return new Response("late");
  });
  const answer = fetch(server.url).then((response) => response.text());
  await new Promise((resume) => setTimeout(resume, 50));
  const start = performance.now();
  await server.drain(.1);
  assert.ok(performance.now() - start < 10_000);
  gate.resolve();
  assert.equal(await answer, "late");
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "../../tasks/_cli/cli.ts";
import { task as serve } from "../../tasks/serve.ts";
import { fencesOf, pages } from "../docs/markdown.ts";
import { tinyRun } from "./_serve/tiny_service.ts";
import { genrec, spawn } from "./genrec.ts";

/** Lines that a process writes, until it ends. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

Deno.test("serve answers over HTTP, reloads on SIGHUP, and on SIGTERM answers what was asked before it ends well", async () => {
  const dir = await tinyRun();
  const process = spawn(dir, "serve --run run --data data --port 0 --drain 20".split(" "));
  const lines = linesOf(process.stdout);
  const events: Record<string, unknown>[] = [];
  const until = async (wanted: string) => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, `ended before ${wanted}: ${JSON.stringify(events)}`);
      events.push(JSON.parse(value));
      if (events.at(-1)!.message === wanted) return events.at(-1)!;
    }
  };
  const { url } = await until("serving");
  const ask = (history: number[]) =>
    fetch(`${url}/recommend`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ history, top: 2 }),
    }).then(async (response) => [response.status, (await response.json()).answers[0].recommendations.length]);
  assert.match(String(url), /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.deepEqual(await ask([1]), [200, 2]);
  process.kill("SIGHUP");
  await until("reloaded");
  // A connection that asks nothing keeps nobody waiting.
  const idle = await Deno.connect({ port: Number(new URL(String(url)).port) });
  const asked = Array.from({ length: 12 }, (_, i) => ask([i % 4]));
  await asked[0];
  process.kill("SIGTERM");
  for (const answer of await Promise.all(asked)) assert.deepEqual(answer, [200, 2]);
  await until("stopped");
  assert.equal((await process.status).code, 0);
  idle.close();
  const stderr = new TextDecoder().decode(await new Response(process.stderr).arrayBuffer());
  assert.match(stderr, /^\nSIGTERM: stopping after what was asked. Once more to stop at once\n$/);
});

Deno.test("serve says what it cannot listen on or serve", async () => {
  const dir = await tinyRun();
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const started = (words: string) => genrec(dir, `serve --run run --data data ${words}`.split(" "));
  const [port, run, users, reasons] = await Promise.all([
    started(`--port ${taken.addr.port}`),
    genrec(dir, ["serve", "--run", join(dir, "data")]),
    started("--max-users 9 --max-queue 8"),
    started("--temperature 1 --seed 7"),
  ]);
  taken.close();
  assert.deepEqual([
    port.code,
    /Cannot listen on 127.0.0.1, port \d+:.*another --host or --port/.test(port.stderr),
  ], [
    1,
    true,
  ]);
  assert.deepEqual([run.code, /Cannot open/.test(run.stderr)], [1, true], run.stderr);
  assert.deepEqual([users.code, /Cannot use --max-users 9/.test(users.stderr)], [2, true]);
  assert.deepEqual([reasons.code, reasons.stderr.match(/Cannot use .* with run/)?.[0]], [
    1,
    "Cannot use --temperature, --seed with run",
  ]);
});

Deno.test("the unit and the container file of docs/guides/serving.md start serve with flags that there are", () => {
  const fences = fencesOf("docs/guides/serving.md", pages()["docs/guides/serving.md"]);
  const textOf = (name: string) => fences.find(({ info }) => info.endsWith(name))!.text;
  const [, started] = /^ExecStart=\/usr\/local\/bin\/genrec serve (.*)$/m.exec(textOf("genrec.service"))!;
  const unit = parseArgs(serve, started.split(" "))!.config;
  assert.deepEqual([unit.run, unit.host, unit.tokenFile], [
    "/srv/genrec/run",
    "127.0.0.1",
    "${CREDENTIALS_DIRECTORY}/tokens",
  ]);
  const [[program, task, ...entry], more] = ["ENTRYPOINT", "CMD"].map((name) =>
    JSON.parse(new RegExp(`^${name} (.*)$`, "m").exec(textOf("Containerfile"))![1])
  );
  assert.deepEqual([program, task], ["genrec", "serve"]);
  const container = parseArgs(serve, [...entry, ...more])!.config;
  assert.deepEqual([container.host, container.tokenFile], ["0.0.0.0", "/run/secrets/tokens"]);
  // The service manager waits longer than requests get.
  const patience = Number(/^TimeoutStopSec=(\d+)$/m.exec(textOf("genrec.service"))![1]);
  assert.ok(patience > unit.drain);
});

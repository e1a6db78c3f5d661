// What a server says that it will take, and what it does where there is less.
import assert from "node:assert/strict";
import { join } from "node:path";
import { UserError } from "../../../base/user_error.ts";
import { served, sharedDevice, tinyService } from "./tiny_service.ts";

const BEAMS = 4;
const histories = Array.from(
  { length: 16 },
  () => ({ history: Array.from({ length: 200 }, (_, i) => i % 4) }),
);

/** Batches in which 16 users of one request were answered. */
async function batchesOf({ service, ask }: Awaited<ReturnType<typeof served>>): Promise<number> {
  const count = () => Number(/genrec_batch_users_count (\d+)/.exec(service.metricsText())?.[1] ?? 0);
  const before = count();
  assert.equal((await ask("/recommend", { users: histories })).status, 200);
  return count() - before;
}

Deno.test("a server says what it takes before it answers, and ends where not even one user fits", async () => {
  const whole = await tinyService({ beams: BEAMS });
  const said = () =>
    whole.events.map(({ message }) => String(message)).filter((line) => /^Memory/.test(line));
  assert.match(said().join("\n"), /^Memory: about .* for 16 users at once\b.*$/);
  assert.equal(await batchesOf(whole), 1);
  await whole.service.reload();
  assert.equal(said().length, 2, "and again before another run takes its place");

  const small = (await sharedDevice()).sibling();
  const settings = { run: join(whole.dir, "run"), data: join(whole.dir, "data"), beams: BEAMS };
  small.memoryLimit = 1;
  await assert.rejects(served(settings, () => Promise.resolve(small)), (error: Error) => {
    assert.ok(error instanceof UserError, `${error.stack}`);
    assert.match(error.message, /^Cannot answer 1 users at once: it takes .* and 1 B of memory are left\. /);
    return true;
  });
  await whole.service.withRun((run) => Promise.resolve(run.destroy()));
});

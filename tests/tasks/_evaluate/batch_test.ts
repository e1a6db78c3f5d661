// How many users are ranked at once: any number gives the same bytes.
import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { evaluated, USERS, withSevenUsers } from "../seven_users.ts";

Deno.test("evaluate ranks the same with any --batch-size, and says how many users are ranked at once", async () => {
  await withSevenUsers(async (dir) => {
    const whole = await evaluated(dir, "whole");
    assert.match(
      whole.lines[0],
      new RegExp(`^Memory: about .* for ${USERS} users at once, .* of the process$`),
    );
    for (const batchSize of [1, 3, USERS]) {
      const { predictions, lines } = await evaluated(dir, `by-${batchSize}`, { batchSize });
      assert.equal(predictions, whole.predictions);
      assert.match(lines[0], new RegExp(` for ${batchSize} users at once, `));
    }
  });
});

Deno.test("evaluate refuses a --memory-limit in which no user can be ranked, and leaves nothing behind", async () => {
  await withSevenUsers(async (dir) => {
    await assert.rejects(evaluated(dir, "small", { memoryLimit: 1e-6 }), (error: Error) => {
      assert.ok(error instanceof UserError, `${error.stack}`);
      assert.match(
        error.message,
        /^Cannot rank 1 users at once: it takes [\d.]+ \w+ and 0 B of memory are left\. /,
      );
      return true;
    });
    assert.equal(Deno.readDirSync(dir).some(({ name }) => name === "small"), false);
    await assert.rejects(evaluated(dir, "small", { memoryLimit: 1e-6, batchSize: 4 }), {
      message: /^Cannot rank 4 users at once: .* Use a smaller --batch-size, or leave it out$/,
    });
  });
});

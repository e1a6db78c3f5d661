import assert from "node:assert/strict";
import { tinyService } from "../tasks/_serve/tiny_service.ts";
import { fuzzRequests } from "./requests.ts";

Deno.test("every request that is made from the description is answered as it says, none with 500 or a stack", async () => {
  const { wrong, statuses } = await fuzzRequests(await tinyService(), 600);
  assert.deepEqual(wrong, []);
  // Right and wrong ones were among them.
  for (const status of [200, 400, 404, 405, 415, 422]) {
    assert.ok((statuses.get(status) ?? 0) > 0, `no ${status}`);
  }
});

Deno.test("fuzzRequests() sees a status that is not described, a stack and a field of the wrong type", async () => {
  const answers = [
    { status: 418, body: {} },
    { status: 200, body: { status: "Error: at x (file:///a.ts:1:1)" } },
    { status: 200, body: { status: 3 } },
    { status: 200, body: { status: "ready" } },
  ];
  const content = {
    "application/json": { schema: { type: "object", properties: { status: { type: "string" } } } },
  };
  const description = {
    paths: { "/a": { get: { responses: { 200: { content } } } } },
    components: { schemas: {} },
  };
  let asked = -1;
  const { wrong } = await fuzzRequests({
    ask: (path) =>
      Promise.resolve({
        ...(path === "/openapi.json"
          ? { status: 200, body: description }
          : answers[++asked % answers.length]),
        headers: new Headers({ "Content-Type": "application/json" }),
      }),
  }, 4);
  assert.deepEqual(wrong.map(({ problem }) => problem.split(":")[0]), [
    "status 418 is not described",
    "a stack",
    "body.status is of type integer, described as string",
  ]);
});

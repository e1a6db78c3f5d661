import assert from "node:assert/strict";
import { putInPlace, recoverFolder } from "../../../../base/files/output/put_in_place.ts";
import { withFiles } from "../../../data/formats/minionerec/fixture.ts";
import { filesIn } from "../../../tasks/genrec.ts";

Deno.test("putInPlace() replaces a folder, or makes one where there is none, and leaves nothing beside it", async () => {
  const before: Record<string, string>[] = [{ "out/old": "" }, { "out/old": "", "aside/older": "" }, {}];
  for (const files of before) {
    await withFiles({ ...files, "fresh/new": "" }, async (dir) => {
      await putInPlace(`${dir}/fresh`, `${dir}/out`, `${dir}/aside`);
      assert.deepEqual(filesIn(dir), ["out/", "out/new"]);
    });
  }
});

Deno.test("a folder that putInPlace() replaces is there at every moment", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await withFiles({ "out/0": "" }, async (dir) => {
    // Looks without a break, in a thread of its own.
    const looking = new Worker(
      URL.createObjectURL(
        new Blob([`let missing = 0, looks = 0, last = performance.now() + 300;
while (performance.now() < last) {
  looks++;
  try { Deno.lstatSync(${JSON.stringify(`${dir}/out`)}); } catch { missing++; }
}
postMessage({ missing, looks });`]),
      ),
      { type: "module" },
    );
    const { promise, resolve } = Promise.withResolvers<{ missing: number; looks: number }>();
    looking.onmessage = ({ data }) => resolve(data);
    let isOver = false;
    promise.then(() => isOver = true);
    for (let i = 1; !isOver; i++) {
      await Deno.mkdir(`${dir}/fresh`);
      await Deno.writeTextFile(`${dir}/fresh/${i}`, "");
      await putInPlace(`${dir}/fresh`, `${dir}/out`, `${dir}/aside`);
    }
    const { missing, looks } = await promise;
    assert.ok(looks > 100, `${looks} looks`);
    assert.equal(missing, 0);
  });
});

Deno.test("recoverFolder() puts back what makes way, but over nothing", async () => {
  await withFiles({ "aside/old": "" }, async (dir) => {
    await recoverFolder(`${dir}/out`, `${dir}/aside`);
    assert.deepEqual(filesIn(dir), ["out/", "out/old"]);
    await Deno.mkdir(`${dir}/aside`);
    await recoverFolder(`${dir}/out`, `${dir}/aside`);
    assert.deepEqual(filesIn(dir), ["aside/", "out/", "out/old"]);
  });
});

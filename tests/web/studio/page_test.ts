// The studio in headless Chromium: what it shows of runs whose names and titles would run if they were HTML.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Chromium, chromiumPath } from "../../../bench/browser/chromium.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { listen } from "../../../tasks/_serve/listen.ts";
import { studioApp } from "../../../tasks/_studio/app.ts";
import { openedRuns } from "../../../tasks/_studio/opened_runs.ts";
import { Studio } from "../../../tasks/_studio/show.ts";
import { minionerecFiles } from "../../data/formats/minionerec/fixture.ts";
import { trainTiny } from "../../tasks/_serve/tiny_service.ts";
import { EVIL, writeRuns } from "../../tasks/_studio/run_folders.ts";

const isMissing = chromiumPath() === undefined;
if (isMissing) {
  console.error("The studio's page is not tested: there is no Chromium. apt-get install chromium");
}

Deno.test({
  name: "the studio in Chromium",
  ignore: isMissing,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "genrec-studio-" });
    const files = minionerecFiles();
    files["item.json"] = files["item.json"].replace("Bob's Clamp", EVIL.replaceAll('"', '\\"'));
    await trainTiny(folder, files);
    const { a } = await writeRuns(join(folder, "runs"));
    const opened = openedRuns("", () => Device.open());
    const studio = await Studio.open([join(folder, "run"), join(folder, "runs")], [], opened.use);
    const server = listen({ host: "127.0.0.1", port: 0 }, studioApp(studio, console.error).fetch);
    try {
      await using browser = await Chromium.start();
      const { evaluate, until } = {
        evaluate: browser.evaluate.bind(browser) as <T>(expression: string) => Promise<T>,
        until: (expression: string) => browser.until(expression, 20_000),
      };
      const text = (selector: string) => evaluate<string>(`document.querySelector("${selector}").innerText`);
      const find = async (id: string, words: string) => {
        await until(`document.querySelector("#${id}-found button")`);
        await evaluate(`document.getElementById("${id}").focus()`);
        await browser.type(words);
        await browser.press("Enter");
      };

      await t.step("curves are drawn, and grow with the log", async () => {
        await browser.open(`${server.url}/studio`);
        await until('document.querySelectorAll("#curves canvas").length >= 4');
        assert.ok((await text("#runs")).includes(EVIL.slice(0, 20)));
        await Deno.writeTextFile(
          join(a, "metrics.jsonl"),
          '{"step":77,"epoch":2,"loss":0.125,"seconds":4}\n',
          {
            append: true,
          },
        );
        await until('document.querySelector("#runs").innerText.includes("77")');
        assert.match(await text("#runs"), /\b77\b.*0\.125/s);
      });

      await t.step("the parts are reached with the keyboard", async () => {
        await evaluate("document.activeElement.blur()");
        await browser.press("Tab");
        await browser.press("Tab");
        assert.equal(await evaluate("document.activeElement.textContent"), "Settings");
        await browser.press("Enter");
        await until('!document.getElementById("part-settings").hidden');
        assert.match(await text("#part-settings"), /learningRate/);
      });

      await t.step("an item is found with its codes and what is near, and its title is text", async () => {
        await evaluate('location.hash = "items"');
        await find("item-search", "<img");
        await until('document.querySelector("#item-title")');
        assert.equal(await text("#item-title"), EVIL);
        assert.match(await text("#code-path"), /a_1\s*2 items\s*b_3\s*alone/);
        await until('document.querySelector("#tree-path").innerText.includes("a_1")');
        assert.equal(await evaluate('document.querySelectorAll("#tree-children button").length'), 2);
        await until('document.querySelector("#tree-drawing .marked")');
        assert.equal(await evaluate('document.querySelectorAll("#tree-drawing .marked").length'), 1);
        const corner = 'document.getElementById("tree-drawing").getBoundingClientRect()';
        await evaluate(
          `document.getElementById("tree-drawing").dispatchEvent(new MouseEvent("click", { bubbles: true, ` +
            `clientX: ${corner}.right - 2, clientY: ${corner}.top + 2 }))`,
        );
        await until('!document.querySelector("#tree-path").innerText.includes("a_1")');
      });

      await t.step("a history of titles is answered, with the tree of the search", async () => {
        await evaluate('location.hash = "try"');
        await find("try-search", "<img");
        await until('document.querySelector("#tried li") && document.querySelector("#beam-tree svg")');
        const items = await evaluate<string[]>(
          '[...document.querySelectorAll("#tried > li")].map(({ dataset }) => dataset.item)',
        );
        assert.deepEqual(items.toSorted(), ["0", "2", "3"]);
        assert.match(await text("#beam-tree"), /The same as a table/);
        assert.equal(await evaluate('document.querySelectorAll("#beam-tree path.listed").length > 0'), true);
      });

      await t.step("evaluations are compared, and names of systems are text", async () => {
        await evaluate('location.hash = "evaluations"');
        await until('document.querySelector("#evaluations .intervals")');
        assert.ok((await text("#evaluations")).includes("<img src=x"));
      });

      await t.step("nothing of it ran, and nothing was refused by the policy", async () => {
        assert.equal(await evaluate("document.title"), "genrec studio");
        assert.equal(await evaluate('document.querySelectorAll("img").length'), 0);
        assert.deepEqual(browser.console.filter((line) => !/status of 4\d\d/.test(line)), []);
      });
    } finally {
      await server.drain(1);
      opened.destroy();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

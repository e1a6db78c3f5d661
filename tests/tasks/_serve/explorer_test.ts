// The page of requests in headless Chromium.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Chromium, chromiumPath } from "../../../bench/browser/chromium.ts";
import { serveApp } from "../../../tasks/_serve/app.ts";
import { listen } from "../../../tasks/_serve/listen.ts";
import { tinyService } from "./tiny_service.ts";

const EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";

const isMissing = chromiumPath() === undefined;
if (isMissing) {
  console.error("The page of requests is not tested: there is no Chromium. apt-get install chromium");
}

Deno.test({
  name: "the page sends requests and shows answers as text, whatever is in them",
  ignore: isMissing,
  async fn() {
    const { dir, service } = await tinyService();
    const path = join(dir, "data/item.json"), text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace('"Acme"', JSON.stringify(EVIL)));
    await service.reload();
    await Deno.writeTextFile(path, text);
    const server = listen({ host: "127.0.0.1", port: 0 }, serveApp(service).fetch);
    try {
      await using browser = await Chromium.start();
      await browser.open(`${server.url}/docs`);
      await browser.until("document.querySelectorAll('.request').length > 5");
      const sent = async (path: string, field: string, value?: string) => {
        const request =
          `[...document.querySelectorAll('.request')].find((one) => one.querySelector('b').textContent ===
          ${JSON.stringify(path)})`;
        await browser.evaluate(`${request}.open = true`);
        if (value !== undefined) {
          await browser.evaluate(`${request}.querySelector('${field}').value = ${JSON.stringify(value)}`);
        }
        await browser.evaluate(
          `(${request}.querySelector('pre').hidden = true, ${request}.querySelector('button').click())`,
        );
        await browser.until(`!${request}.querySelector('pre').hidden`);
        return await browser.evaluate<string[]>(
          `[${request}.querySelector('[role=status]').textContent, ${request}.querySelector('pre').textContent]`,
        );
      };
      const [found, item] = await sent("/items/{id}", "input", "0");
      assert.match(found, /^200 /);
      assert.equal(JSON.parse(item).brand, EVIL);
      const [missing, problem] = await sent("/items/{id}", "input", EVIL);
      assert.match(missing, /^404 /);
      assert.ok(JSON.parse(problem).detail.includes(EVIL));
      // The body to start from is a request that is answered.
      const [answered, lists] = await sent("/recommend", "textarea");
      assert.match(answered, /^200 /);
      assert.equal(JSON.parse(lists).answers[0].recommendations.length, 4);
      assert.deepEqual(
        await browser.evaluate("[document.title, document.images.length, document.scripts.length]"),
        [
          "genrec: requests",
          0,
          1,
        ],
      );
      // Chromium itself notes answers such as 404; a refusal of the page's policy would stand here too.
      assert.deepEqual(browser.console.filter((line) => !/status of 404/.test(line)), []);
    } finally {
      await server.drain(1);
    }
  },
});

// A site in headless Chromium: its answers are those of Deno, and its page is for people.
import assert from "node:assert/strict";
import { join } from "node:path";
import { Chromium, chromiumPath } from "../../../bench/browser/chromium.ts";
import { StaticHost } from "../../../bench/browser/static_host.ts";
import { diskFiles } from "../../../base/files/disk.ts";
import { listedItems, type ScoredItem } from "../../../eval/item_lists.ts";
import { Device } from "../../../kernels/gpu/device.ts";
import { task as exportTask } from "../../../tasks/_export/export.ts";
import { openRun } from "../../../train/runs/open_run.ts";
import { fetchSite } from "../../../web/site/fetch_model.ts";
import { openSiteModel } from "../../../web/site/open_model.ts";
import { type ShopProgress, trainShop } from "../../../web/training/shop_model.ts";
import type { ListedItems } from "../../../web/worker/messages.ts";
import { collector } from "../../scenarios/text_shop.ts";
import { MAX_HISTORY, writeModelFolder } from "../model_folder.ts";

const USERS = 200;
const TOP = 10;
const BEAMS = 20;
/** Largest difference of a score, and of two that may change places. */
const TOLERANCE = 1e-4;
const EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";

const isMissing = chromiumPath() === undefined;
if (isMissing) console.error("Pages are not tested: there is no Chromium. apt-get install chromium");

/** A training of a second. */
const TINY = {
  hiddenSize: 16,
  intermediateSize: 16,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numKeyValueHeads: 2,
  dropout: 0,
  tokensPerBatch: 256,
  maxSteps: 3,
  loggingSteps: 1,
  evalSamples: 8,
  evalBeams: 10,
};

/** Asks the worker of the open page, beside what the page asks it. */
const ASK = `globalThis.ask = (() => {
  const worker = new Worker("worker.js", { type: "module" });
  let id = 0;
  return (kind, question) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => data.error ? reject(new Error(data.error)) : resolve(data.answer);
    worker.postMessage({ id: id++, kind, ...question });
  });
})()`;

Deno.test({
  name: "a site in Chromium",
  ignore: isMissing,
  async fn(t) {
    const folder = await Deno.makeTempDir({ prefix: "genrec-page-" });
    try {
      const model = join(folder, "model");
      const { samples, items } = await writeModelFolder(model);
      const histories = samples.test.slice(0, USERS).map(({ history }) => history);
      await exportSite(model, join(folder, "float32"), "float32");
      await exportSite(model, join(folder, "float16"), "float16");
      await using host = new StaticHost(folder);
      await using browser = await Chromium.start();
      const device = await Device.open();
      const question = JSON.stringify({ histories, top: TOP, beams: BEAMS, excludeSeen: false });
      const answers = async (dtype: string) => {
        await browser.open(`${host.url}${dtype}/`);
        await browser.until("document.querySelector('#found button')");
        await browser.evaluate(ASK);
        await browser.evaluate(`ask("open", { base: location.href, source: "site" }).then(() => 0)`);
        return (await browser.evaluate<ListedItems>(`ask("recommend", ${question})`)).lists;
      };

      await t.step(`float32: the same lists as the run has in Deno, for ${USERS} histories`, async () => {
        const run = await openRun(model, { data: "synthetic", maxHistory: MAX_HISTORY, device });
        const lists = await run.recommend(histories.map((history) => ({ history })), {
          k: TOP,
          beams: BEAMS,
        });
        assertSame(await answers("float32"), lists.map((list) => listedItems(list, TOP)));
        run.destroy();
      });

      await t.step("float16: the same lists as Deno has of the rounded weights", async () => {
        const { model } = await fetchSite(`${host.url}float16/`);
        const { recommender } = await openSiteModel(model, join(folder, "float16/model"), diskFiles, device);
        const lists = await recommender.recommend(histories.map((history) => ({ history })), {
          k: TOP,
          beams: BEAMS,
        });
        assertSame(await answers("float16"), lists.map((list) => listedItems(list, TOP)));
        recommender.destroy();
      });

      await t.step(
        "a click recommends, the history outlives a reload, the keyboard reaches everything",
        async () => {
          await browser.evaluate("document.querySelector('#found button').click()");
          await browser.until("document.querySelectorAll('#recommendations li').length === 10");
          const shown = await browser.evaluate<number[]>(
            "[...document.querySelectorAll('#recommendations li')].map((row) => Number(row.dataset.item))",
          );
          assert.equal(new Set(shown).size, TOP);
          await browser.open(`${host.url}float16/`);
          await browser.until("document.querySelectorAll('#recommendations li').length === 10");
          assert.deepEqual(
            await browser.evaluate(
              "[...document.querySelectorAll('#recommendations li')].map((row) => Number(row.dataset.item))",
            ),
            shown,
          );
          await browser.evaluate("document.querySelector('#search').focus()");
          const { title } = items[77];
          await browser.type(title.split(" ").slice(0, 3).join(" "));
          await browser.until(
            `document.querySelector('#found button').textContent.startsWith(${
              JSON.stringify(title.split(" ")[0])
            })`,
          );
          await browser.press("Enter");
          await browser.until("document.querySelectorAll('#history li').length === 2");
          await browser.press("Tab");
          assert.equal(await browser.evaluate("document.activeElement.tagName"), "BUTTON");
          await browser.press("Enter");
          await browser.until("document.querySelectorAll('#history li').length === 3");
        },
      );

      await t.step(
        "a model is trained in the page as in Deno, recommends, and outlives a reload",
        async () => {
          const path = join(folder, "float16/site.json");
          const site = JSON.parse(await Deno.readTextFile(path));
          Object.assign(site.shop, { items: 60, users: 40, codewords: 8 });
          Object.assign(site.shop.settings, TINY);
          await Deno.writeTextFile(path, JSON.stringify(site));
          await browser.open(`${host.url}float16/`);
          await browser.until("document.querySelector('#train')");
          await browser.evaluate("document.querySelector('#train').click()");
          await browser.until("document.querySelector('#name').textContent === 'Built-in shop'", 60_000);
          await browser.evaluate(ASK);
          const kept = await browser.evaluate<ShopProgress[]>(`ask("kept", { base: location.href })`);
          const losses = kept.flatMap(({ loss }) => loss ?? []);
          const lines: ShopProgress[] = [];
          const { signal } = new AbortController();
          await trainShop({ ...site.shop, device, signal, onProgress: (line) => lines.push(line) });
          assert.equal(losses.length, TINY.maxSteps);
          for (const [i, loss] of lines.flatMap(({ loss }) => loss ?? []).entries()) {
            assert.ok(
              Math.abs(losses[i] - loss) < 1e-3,
              `step ${i + 1}: ${losses[i]} in the page, ${loss} in Deno`,
            );
          }
          await browser.until("document.querySelector('.curve polyline')");
          await browser.evaluate("document.querySelector('#found button').click()");
          await browser.until("document.querySelectorAll('#recommendations li').length === 10");
          await browser.open(`${host.url}float16/`);
          await browser.until("!document.querySelector('#sources').hidden");
          await browser.evaluate("document.querySelector('input[value=own]').click()");
          await browser.until("document.querySelector('#name').textContent === 'Built-in shop'");
          await browser.until("document.querySelectorAll('#recommendations li').length === 10");
        },
      );

      await t.step(
        "nothing of a title runs, nothing is fetched from elsewhere, the console stays empty",
        async () => {
          const site = join(folder, "evil");
          await exportSite(model, site, "float16", EVIL);
          await browser.open(`${host.url}evil/`);
          await browser.until("document.querySelector('#found button')");
          assert.equal(await browser.evaluate("document.querySelector('#found button').textContent"), EVIL);
          assert.equal(
            await browser.evaluate("document.querySelectorAll('#found img, #found script').length"),
            0,
          );
          assert.notEqual(await browser.evaluate("document.title"), "run");
          const hosts = "performance.getEntriesByType('resource').map(({ name }) => new URL(name).host)";
          assert.deepEqual(await browser.evaluate(`[...new Set(${hosts})]`), [new URL(host.url).host]);
          assert.deepEqual(browser.console, []);
        },
      );

      await t.step(
        "after a visit the page opens without a host, and a new export is kept in place of the old",
        async () => {
          const site = join(folder, "offline");
          await exportSite(model, site, "float16", "the first title");
          const caches = `caches.keys().then((names) => names.filter((name) => name.includes("/offline/ ")))`;
          const shown = "document.querySelector('#found button').textContent";
          const keptPage = `(async () => {
          for (const name of await ${caches}) if (await (await caches.open(name)).match(location.href)) return name;
          return "";
        })()`;
          const url = await (async () => {
            await using host = new StaticHost(folder);
            await browser.open(`${host.url}offline/`);
            await browser.until("document.querySelector('#found button')");
            await browser.until(keptPage);
            const first = await browser.evaluate<string>(keptPage);
            await exportSite(model, site, "float16", "the second title");
            await browser.open(`${host.url}offline/`);
            await browser.until(
              `${keptPage}.then((name) => name !== "" && name !== ${JSON.stringify(first)})`,
            );
            await browser.until(`${shown} === "the second title"`);
            await browser.until(`${caches}.then(({ length }) => length === 1)`);
            return `${host.url}offline/`;
          })();
          await assert.rejects(fetch(url));
          await browser.evaluate("globalThis.isOfBefore = true");
          await browser.open(url);
          await browser.until("!globalThis.isOfBefore && document.querySelector('#found button')");
          assert.equal(await browser.evaluate(shown), "the second title");
          await browser.evaluate("document.querySelector('#found button').click()");
          await browser.until("document.querySelectorAll('#recommendations li').length === 10");
        },
      );

      await t.step("a damaged file and a browser without WebGPU are told, with what to do", async () => {
        const weights = join(folder, "float32/model/model.safetensors");
        const bytes = await Deno.readFile(weights);
        bytes[bytes.length - 1] ^= 1;
        await Deno.writeFile(weights, bytes);
        await browser.open(`${host.url}float32/`);
        await browser.until("document.querySelector('[role=alert]')");
        assert.match(
          await browser.evaluate("document.body.innerText"),
          /model\.safetensors.*Upload the whole site again/s,
        );
        await browser.send("Page.addScriptToEvaluateOnNewDocument", {
          source: "delete Navigator.prototype.gpu",
        });
        await browser.open(`${host.url}float16/`);
        await browser.until("document.querySelector('[role=alert]')");
        assert.match(await browser.evaluate("document.body.innerText"), /no WebGPU.*Use Chrome or Edge 113/s);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** Exports a model folder; the most popular item gets a title of its own where one is given. */
async function exportSite(run: string, out: string, dtype: string, title?: string): Promise<void> {
  const flags = { target: "web", run, data: "synthetic", out, dtype };
  await exportTask.run(
    exportTask.config.parse(flags) as Parameters<typeof exportTask.run>[0],
    collector().io,
  );
  if (title === undefined) return;
  const path = join(out, "model/items.json");
  const items = JSON.parse(await Deno.readTextFile(path));
  items.titles[items.popular[0]] = title;
  const text = JSON.stringify(items);
  await Deno.writeTextFile(path, text);
  const bytes = new TextEncoder().encode(text);
  const site = JSON.parse(await Deno.readTextFile(join(out, "site.json")));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  site.model.files["items.json"] = { bytes: bytes.length, sha256: digest.toHex() };
  await Deno.writeTextFile(join(out, "site.json"), JSON.stringify(site));
}

/** The same scores, and the same items where scores lie apart. */
function assertSame(found: ListedItems["lists"], expected: readonly (readonly ScoredItem[])[]): void {
  assert.equal(found.length, expected.length);
  let same = 0;
  for (const [user, list] of expected.entries()) {
    assert.equal(found[user].length, list.length);
    for (const [place, { item, score }] of list.entries()) {
      const other = found[user][place];
      assert.ok(
        Math.abs(other.score - score) < TOLERANCE,
        `user ${user}, place ${place}: item ${other.item} with ${other.score}, in Deno item ${item} with ${score}`,
      );
      if (other.item === item) same++;
    }
  }
  assert.equal(same, expected.flat().length);
}

// The page of a site: finds WebGPU, starts the worker and shows what it answers.
import { html, reactive } from "@arrow-js/core";
import { dom } from "./dom.ts";
import { recommendView } from "./recommend_view.ts";
import { WorkerClient } from "./worker_client.ts";

const { document, location } = dom;
const page = document.getElementById("page");
page.replaceChildren();

/** What stands in the page. */
const state = reactive({ status: "Loading the model\u2026", error: "" });

html`
  <header>
    <h1 id="name">Recommendations</h1>
    <p class="quiet" id="status" role="status">${() => state.status}</p>
  </header>
  ${() =>
    state.error && html`
      <section class="warnings" role="alert">
        <h2>This page cannot recommend here</h2>
        <p>${() => state.error}</p>
      </section>
    `}
  <div id="views"></div>
  <footer class="quiet">Everything is computed on this device: what you pick is sent to nobody.</footer>
`(page);

start().catch((error) => {
  state.status = "";
  state.error = error instanceof Error ? error.message : String(error);
});

async function start(): Promise<void> {
  await expectWebGpu();
  const worker = new WorkerClient(new URL("worker.js", import.meta.url));
  const opened = await worker.ask("open", { base: new URL("./", location.href).href });
  const { name, titles, adapter, milliseconds } = opened;
  document.title = `${name}: recommendations`;
  document.getElementById("name").textContent = name;
  const seconds = (milliseconds / 1000).toFixed(1);
  state.status = `${titles.length} items. Model loaded in ${seconds} s, computes on ${adapter}`;
  recommendView(worker, opened)(document.getElementById("views") as never);
}

/** Throws with what to do where the browser has no WebGPU. */
async function expectWebGpu(): Promise<void> {
  if (!dom.isSecureContext) {
    throw new Error(
      "The browser gives WebGPU to pages over HTTPS and on localhost alone, and this one came over HTTP from another " +
        "machine. Open it over HTTPS",
    );
  }
  if (!navigator.gpu) {
    throw new Error(
      "This browser has no WebGPU, which computes the recommendations. Use Chrome or Edge 113, Safari 26, Firefox 141 on " +
        "Windows or a later one of these",
    );
  }
  if (await navigator.gpu.requestAdapter()) return;
  throw new Error(
    "This browser has WebGPU but finds no graphics adapter for it. Update the graphics driver and turn on hardware " +
      "acceleration in the browser's settings; on Linux, Chrome may want chrome://flags/#enable-unsafe-webgpu and " +
      "chrome://flags/#enable-vulkan",
  );
}

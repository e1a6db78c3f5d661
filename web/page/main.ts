// The page of a site: finds WebGPU, starts the worker and shows what it answers.
import { html, reactive } from "@arrow-js/core";
import { dom } from "./dom.ts";
import type { ModelSource } from "../worker/messages.ts";
import { recommendView } from "./recommend_view.ts";
import { shopTrainingView } from "./shop_view.ts";
import { WorkerClient } from "./worker_client.ts";

const { document, location } = dom;
const page = document.getElementById("page");
page.replaceChildren();

/** What stands in the page. */
const state = reactive({
  status: "Loading the model\u2026",
  error: "",
  source: "site" as ModelSource,
  hasOwn: false,
});

html`
  <header>
    <h1 id="name">Recommendations</h1>
    <p class="quiet" id="status" role="status">${() => state.status}</p>
  </header>
  ${() =>
    state.error &&
    html`
      <section class="warnings" role="alert">
        <h2>This page cannot recommend here</h2>
        <p>${() => state.error}</p>
      </section>
    `}
  <fieldset id="sources" class="choice" hidden="${() => state.hasOwn ? false : "hidden"}">
    <legend class="quiet">Recommend with</legend>
    ${(["site", "own"] as const).map((source) =>
      html`<label><input type="radio" name="source" value="${source}"
      .checked="${() => state.source === source}" @change="${() => choose(source)}">
      ${source === "site" ? "the model of this site" : "the one trained here"}</label>`
    )}
  </fieldset>
  <div id="views"></div>
  <div id="training-place"></div>
  <footer class="quiet">Everything is computed on this device: what you pick is sent to nobody.</footer>
`(page as never);

const base = new URL("./", location.href).href;
let worker: WorkerClient;

start().catch(tell);

function tell(error: unknown): void {
  state.status = "";
  state.error = error instanceof Error ? error.message : String(error);
}

async function start(): Promise<void> {
  await expectWebGpu();
  worker = new WorkerClient(new URL("worker.js", import.meta.url));
  await open("site");
  keepForLater();
  const kept = await worker.ask("kept", { base });
  state.hasOwn = kept.length > 0;
  const place = document.getElementById("training-place");
  shopTrainingView(worker, base, kept, () => {
    state.hasOwn = true;
    choose("own");
  })(place as never);
}

/** Lets the page open without a network from now on. It works as well where the browser does not keep it. */
function keepForLater(): void {
  const workers = dom.navigator.serviceWorker;
  // One that is there already may keep an older export.
  workers?.controller?.postMessage("keep");
  workers?.register(new URL("offline.js", import.meta.url))
    .catch((error) => console.info(`The page wants a network each time: ${error.message}`));
}

function choose(source: ModelSource): void {
  open(source).catch(tell);
}

/** Loads a model and shows what it recommends. */
async function open(source: ModelSource): Promise<void> {
  const opened = await worker.ask("open", { base, source });
  const { name, titles, adapter, milliseconds } = opened;
  document.title = `${name}: recommendations`;
  document.getElementById("name").textContent = name;
  const seconds = (milliseconds / 1000).toFixed(1);
  state.status = `${titles.length} items. Model loaded in ${seconds} s, computes on ${adapter}`;
  state.source = source;
  const views = document.getElementById("views");
  views.replaceChildren();
  recommendView(worker, opened)(views as never);
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

import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import type { ShopProgress } from "../training/shop_model.ts";
import { curve } from "./curve.ts";
import type { WorkerClient } from "./worker_client.ts";

/** A training in the page: its button, its curve, and what became of it. `onModel` is called where there is a model. */
export function shopTrainingView(
  worker: WorkerClient,
  base: string,
  kept: readonly ShopProgress[],
  onModel: () => void,
): ArrowTemplate {
  const state = reactive({
    lines: [...kept],
    isRunning: false,
    note: kept.length > 0 ? "Trained here before; the model is kept in this browser." : "",
    error: "",
  });
  worker.onProgress = (line) => {
    state.lines = [...state.lines, line];
  };

  async function start(): Promise<void> {
    state.lines = [];
    state.error = "";
    state.note = "Making the shop and the semantic IDs of its items\u2026";
    state.isRunning = true;
    try {
      const { isKept } = await worker.ask("train", { base });
      state.note = isKept
        ? "Trained. The model is kept in this browser, also over a reload."
        : "Trained. This browser keeps no data, so the model is gone with the page.";
      onModel();
    } catch (error) {
      state.note = "";
      state.error = (error as Error).message;
    }
    state.isRunning = false;
  }

  const losses = () =>
    state.lines.flatMap(({ step, loss }) => loss === undefined ? [] : [{ x: step, y: loss }]);
  return html`<section id="training">
    <h2>Train one here</h2>
    <p class="quiet">A made-up shop, semantic IDs and a small language model, all of it
      made in this page with the shaders of genrec. You may stop at any time: what is learned by then recommends.</p>
    <p>${() =>
    state.isRunning
      ? html`<button id="stop" @click="${() => worker.ask("stop", {})}">Stop here</button>`
      : html`<button id="train" class="primary" @click="${() => start()}">Train</button>`}</p>
    <p class="quiet" role="status" id="training-note">${() =>
    standing(state.lines, state.isRunning) || state.note}</p>
    ${() => state.error && html`<p class="fault" role="alert">${() => state.error}</p>`}
    ${() => {
    const points = losses();
    return points.length > 1 && curve(points, points[points.length - 1].x, "loss by training step");
  }}
    <p class="quiet">${() => state.isRunning ? "" : state.lines.length > 0 && state.note}</p>
  </section>`;
}

/** Where a training stands, in words; "" before its first line. */
function standing(lines: readonly ShopProgress[], isRunning: boolean): string {
  const last = lines.findLast(({ loss }) => loss !== undefined);
  if (!last) return "";
  const { step, steps, seconds, loss } = last;
  const ndcg = lines.findLast(({ ndcg10 }) => ndcg10 !== undefined)?.ndcg10;
  const left = seconds / step * (steps - step);
  const parts = [
    `step ${step} of ${steps}`,
    `loss ${loss!.toFixed(3)}`,
    ...ndcg === undefined ? [] : [`NDCG@10 ${ndcg.toFixed(3)} on customers it has not seen`],
    `${seconds.toFixed(0)} s`,
    ...isRunning ? [`about ${left.toFixed(0)} s left`] : [],
  ];
  return parts.join(", ");
}

import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import type { PageEvent } from "../page/dom.ts";
import type { EvaluationPage } from "./messages.ts";
import type { StudioServer } from "./server.ts";

/** Evaluations with intervals, and paired tests against a baseline that is chosen here. */
export function evaluationsView(server: StudioServer): { view: ArrowTemplate; start(): void } {
  const state = reactive({
    page: { html: "", systems: [], baseline: "" } as EvaluationPage,
    note: "Reading the evaluations…",
  });
  async function load(baseline: string): Promise<void> {
    try {
      state.page = await server.get<EvaluationPage>("evaluations", { baseline });
      state.note = "";
    } catch (error) {
      state.note = (error as Error).message;
    }
  }
  const view = html`
    <p class="quiet" role="status">${() => state.note}</p>
    ${() =>
      state.page.systems.length > 1 && html`<p><label>Baseline of the paired tests
        <select id="baseline" @change="${(event: PageEvent) => load(event.target.value)}">${
        state.page.systems.map((name) =>
          html`<option value="${name}" selected="${name === state.page.baseline}">${name}</option>`
        )
      }</select></label></p>`}
    <div id="evaluations" .innerHTML="${() => state.page.html}"></div>
  `;
  return { view, start: () => void load("") };
}

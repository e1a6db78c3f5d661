import { type ArrowTemplate, html } from "@arrow-js/core";
import type { PageEvent } from "../page/dom.ts";
import type { StudioRun } from "./messages.ts";

/** Chooses one of the runs; nothing where there is one alone. */
export function runChoice(
  id: string,
  runs: readonly StudioRun[],
  onChoice: (run: number) => void,
): ArrowTemplate | false {
  return runs.length > 1 && html`
    <label>Run
      <select id="${id}" @change="${(event: PageEvent) => onChoice(Number(event.target.value))}">${runs.map((
        run,
      ) => html`<option value="${String(run.id)}">${run.name}</option>`)}</select></label>
  `;
}

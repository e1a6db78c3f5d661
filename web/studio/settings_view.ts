import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { escapeHtml, table } from "../../base/html_page.ts";
import type { PageEvent } from "../page/dom.ts";
import type { StudioRun, StudioSettings } from "./messages.ts";

/** Settings by name with the value in each run as JSON, undefined where it has none; `all`: equal ones too. */
export function settingRows(
  settings: StudioSettings,
  all: boolean,
): [name: string, values: (string | undefined)[]][] {
  const names = [...new Set(settings.flatMap((one) => Object.keys(one)))];
  return names
    .map((name): [string, (string | undefined)[]] => [name, settings.map((one) => JSON.stringify(one[name]))])
    .filter(([, values]) => all || values.some((value) => value !== values[0]));
}

/** In what the settings of runs differ. */
export function settingsView(runs: readonly StudioRun[], settings: StudioSettings): ArrowTemplate {
  const state = reactive({ all: runs.length < 2 });
  const content = () => {
    const rows = settingRows(settings, state.all);
    if (rows.length === 0) return '<p class="quiet">The runs have the same settings.</p>';
    const cell = (value: string | undefined) =>
      value === undefined ? "–" : `<code>${escapeHtml(value)}</code>`;
    return table(
      ["setting", ...runs.map(({ name }) => escapeHtml(name))],
      rows.map(([name, values]) => [escapeHtml(name), ...values.map(cell)]),
      runs.length + 1,
    );
  };
  return html`
    <section class="settings">
      <h2>Settings</h2>
      <p
        class="quiet"><label><input type="checkbox" checked="${() => state.all}" @change="${(
          event: PageEvent,
        ) => state.all = event.target.checked}"> also those that are the same</label></p>
      <div .innerHTML="${content}"></div>
    </section>
  `;
}

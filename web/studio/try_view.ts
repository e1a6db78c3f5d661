import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { plainSid } from "../../sid/report/html_charts.ts";
import { dom, type PageEvent } from "../page/dom.ts";
import { beamTree, probability } from "./drawings/beam_tree.ts";
import { ItemFinder } from "./item_finder.ts";
import type { StudioItem, StudioRun, TriedRun } from "./messages.ts";
import { runChoice } from "./run_choice.ts";
import type { StudioServer } from "./server.ts";

const TOP = 10;
const BEAMS = 20;

/** A history to be put together of titles, what a run recommends after it, and how it came to that. */
export function tryView(
  server: StudioServer,
  runs: readonly StudioRun[],
): { view: ArrowTemplate; start(): void } {
  const state = reactive({
    history: [] as StudioItem[],
    answer: undefined as TriedRun | undefined,
    note: "Pick a few items by their titles, oldest first.",
    isAsking: false,
    turn: 0,
  });
  let run = 0, beams = BEAMS, excludeSeen = true, asked = 0;
  const finder = new ItemFinder("try-search", server, add);

  async function add(item: number): Promise<void> {
    try {
      const place = await server.get<StudioItem>("item", { run, item });
      change([...state.history, place]);
    } catch (error) {
      state.note = (error as Error).message;
    }
  }

  function change(history: StudioItem[]): void {
    state.history = history;
    ask();
  }

  async function ask(): Promise<void> {
    const turn = ++asked;
    if (state.history.length === 0) {
      state.answer = undefined;
      draw();
      return;
    }
    state.isAsking = true;
    state.note = "Asking the run…";
    try {
      const history = state.history.map(({ item }) => item).join(",");
      const answer = await server.get<TriedRun>("try", {
        run,
        history,
        top: TOP,
        beams,
        excludeSeen: String(excludeSeen),
      });
      if (turn !== asked) return;
      state.turn++;
      state.answer = answer;
      state.note = answer.reasoning ?? "";
    } catch (error) {
      if (turn !== asked) return;
      state.answer = undefined;
      state.note = (error as Error).message;
    }
    state.isAsking = false;
    draw();
  }

  function draw(): void {
    const { answer } = state;
    dom.document.getElementById("beam-tree").innerHTML = answer?.kept ? beamTree(answer) : "";
  }

  async function open(chosen: number): Promise<void> {
    run = chosen;
    // Items of another dataset have other numbers.
    if (state.history.length > 0 && !await knows(state.history)) state.history = [];
    await finder.open(run);
    ask();
  }

  async function knows(history: readonly StudioItem[]): Promise<boolean> {
    for (const { item, title } of history) {
      const there = await server.get<StudioItem>("item", { run, item }).catch(() => undefined);
      if (there?.title !== title) return false;
    }
    return true;
  }

  const effectsView = (effects: NonNullable<TriedRun["items"][number]["effects"]>, most: number) =>
    html`<ul class="effects">${
      effects.map(({ feature, effect }) =>
        html`<li><span>${feature}</span>
        <svg viewBox="-50 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="${
          effect < 0 ? "share less" : "share"
        }"
          x="${String(Math.min(0, 50 * effect / most))}" width="${
          String(Math.abs(50 * effect / most))
        }" height="10"></rect></svg>
        <span class="figure">${(effect < 0 ? "−" : "+") + Math.abs(effect).toFixed(3)}</span></li>`
      )
    }</ul>`;

  const answerView = ({ items, scoreUnit }: TriedRun) => {
    const most = Math.max(
      1e-9,
      ...items.flatMap(({ effects = [] }) => effects.map(({ effect }) => Math.abs(effect))),
    );
    return html`<ol class="items ranked" id="tried">${
      items.map(({ item, title, sid, score, effects }) =>
        html`<li data-item="${String(item)}"><button class="item" @click="${() =>
          add(item)}">${title}</button>
        <span class="facts">${
          scoreUnit === "log-probability" ? probability(score) : score.toFixed(3)
        } <code>${sid ? plainSid(sid) : ""}</code></span>
        ${effects ? effectsView(effects, most) : ""}</li>`.key(`${state.turn}:${item}`)
      )
    }</ol>`;
  };

  const view = html`
    <p class="picker">
      ${runChoice("try-run", runs, open)}
      <label>Beams <input id="beams" type="number" min="1" max="200" value="${String(BEAMS)}" @change="${(
        event: PageEvent,
      ) => {
        beams = Math.min(200, Math.max(1, Number(event.target.value) || BEAMS));
        ask();
      }}"></label>
      <label><input type="checkbox" checked @change="${(event: PageEvent) => {
        excludeSeen = event.target.checked;
        ask();
      }}"> leave out what was bought</label>
    </p>
    <div class="columns">
      <section>
        <h2>Bought so far</h2>
        <ol class="items" id="try-history">${() =>
          state.history.map(({ title }, place) =>
            html`<li><span class="title">${title}</span><button class="plain" aria-label="${`Remove ${title}`}"
              @click="${() => change(state.history.filter((_, i) => i !== place))}">✕</button></li>`.key(
              `${place}:${title}`,
            )
          )}</ol>
        ${finder.view}
      </section>
      <section aria-live="polite" aria-busy="${() => String(state.isAsking)}">
        <h2>Recommended next</h2>
        <p class="quiet" role="status">${() => state.note}</p>
        ${() => state.answer ? [answerView(state.answer).key(state.turn)] : []}
        <p class="quiet">${() =>
          state.answer?.items.some(({ effects }) => effects)
            ? "Beside a feature stands by how much the score would fall if the item had the mean of the list's candidates."
            : ""}</p>
      </section>
    </div>
    <section hidden="${() => !state.answer?.kept}">
      <h2>The search</h2>
      <p
        class="quiet">After each code the beginnings that the search went on with, best first, and their probabilities;
        those that lead to the list are linked in colour.</p>
      <div id="beam-tree"></div>
    </section>
  `;
  return { view, start: () => void finder.open(0) };
}

import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { ItemSearch } from "../../eval/item_search.ts";
import type { ListedItems, Opened } from "../worker/messages.ts";
import type { PageEvent } from "./dom.ts";
import { KeptHistory } from "./kept_history.ts";
import type { WorkerClient } from "./worker_client.ts";

const TOP = 10;
const BEAMS = 50;
/** Items that a search shows. */
const FOUND = 6;

interface Listed {
  item: number;
  /** Share of the best one's probability. */
  share: number;
  score: number;
}

/** A history to be put together of titles, and what the model recommends after it. */
export function recommendView(worker: WorkerClient, opened: Opened): ArrowTemplate {
  const { titles, sids, popular, maxHistory } = opened;
  const search = new ItemSearch(titles.map((title) => ({ title })), popular);
  const kept = new KeptHistory(opened.name);
  const state = reactive({
    query: "",
    history: kept.read(titles.length),
    excludeSeen: true,
    list: [] as Listed[],
    note: "",
    error: "",
    isAsking: false,
  });
  let asked = 0;

  async function recommend(): Promise<void> {
    const turn = ++asked;
    const history = [...state.history];
    kept.write(history);
    if (history.length === 0) {
      state.list = [];
      state.note = "";
      return;
    }
    state.isAsking = true;
    try {
      const { excludeSeen } = state;
      const question = { histories: [history], top: TOP, beams: BEAMS, excludeSeen };
      const answer = await worker.ask("recommend", question);
      if (turn === asked) show(answer);
    } catch (error) {
      if (turn === asked) state.error = (error as Error).message;
    }
    if (turn === asked) state.isAsking = false;
  }

  function show({ lists: [list], milliseconds }: ListedItems): void {
    const best = list[0]?.score ?? 0;
    state.error = "";
    state.list = list.map(({ item, score }) => ({ item, score, share: Math.exp(score - best) }));
    state.note = `${milliseconds.toFixed(0)} ms`;
  }

  function change(history: number[]): void {
    state.history = history;
    recommend();
  }
  const add = (item: number) => change([...state.history, item]);
  const removeAt = (place: number) => change(state.history.filter((_, i) => i !== place));
  const onKey = (event: PageEvent) => {
    if (event.key !== "Enter") return;
    const [first] = search.find(state.query);
    if (first === undefined) return;
    event.preventDefault();
    add(first);
    state.query = "";
    event.target.value = "";
  };

  if (state.history.length > 0) recommend();
  // Shaders are compiled while the user reads. What is wrong shows with the first question.
  else {worker.ask("recommend", { histories: [[popular[0]]], top: TOP, beams: BEAMS, excludeSeen: true })
      .catch(() => {});}
  return html`
    <div class="columns">
      <section>
        <h2>Bought so far</h2>
        ${() =>
          state.history.length === 0
            ? html`<p class="quiet" id="no-history">Pick a few items: the model reads the last ${maxHistory}, in their order.</p>`
            : html`
              <ol class="items" id="history">${() =>
                state.history.map((item, place) =>
                  html`<li><span class="title">${titles[item]}</span>
            <button class="plain" aria-label="${`Remove ${titles[item]}`}" @click="${() =>
                    removeAt(place)}">✕</button></li>`
                    .key(`${place}:${item}`)
                )}</ol>
              <p><button @click="${() => change([])}">Start over</button></p>
            `}
        <h3><label for="search">Find an item</label></h3>
        <input id="search" type="search" autocomplete="off" placeholder="words of a title"
          @input="${(event: PageEvent) => state.query = event.target.value}"
          @keydown="${onKey}">
        <p class="quiet" role="status">${() => foundNote(state.query, search)}</p>
        <ul class="items" id="found">${() =>
          search.find(state.query).slice(0, FOUND).map((item) =>
            html`<li><button class="item" @click="${() => add(item)}">${titles[item]}</button></li>`.key(item)
          )}</ul>
      </section>
      <section aria-live="polite" aria-busy="${() => String(state.isAsking)}">
        <h2>Next, says the model</h2>
        <p class="quiet"><label><input type="checkbox" id="exclude-seen" checked
          @change="${(event: PageEvent) => {
            state.excludeSeen = event.target.checked;
            recommend();
          }}"> leave out what was bought</label> <span id="time">${() => state.note}</span></p>
        ${() => state.error && html`<p class="fault" role="alert">${() => state.error}</p>`}
        ${() =>
          state.list.length === 0
            ? html`<p class="quiet">Nothing yet.</p>`
            : html`<ol class="items ranked" id="recommendations">${() =>
              state.list.map(({ item, share, score }) =>
                html`<li data-item="${String(item)}" data-score="${String(score)}">
            <button class="item" @click="${() => add(item)}">${titles[item]}</button>
            <span class="facts"><meter min="0" max="1" value="${String(share)}"
              aria-label="probability, as a share of the first one's">${share.toFixed(2)}</meter>
            <code>${sids[item]}</code></span></li>`.key(item)
              )}</ol>`}
      </section>
    </div>
  `;
}

function foundNote(query: string, search: ItemSearch): string {
  if (query.trim() === "") return "Bought most:";
  const count = search.find(query).length;
  if (count === 0) return "No title has these words";
  return count > FOUND ? `${FOUND} of ${count}:` : `${count} found:`;
}

import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import type { PageEvent } from "../page/dom.ts";
import type { FoundItems } from "./messages.ts";
import type { StudioServer } from "./server.ts";

/** After so many milliseconds without a key the search is asked. */
const PAUSE = 150;

/** Finds items of a run by words of their titles; `onPick` gets the one that is chosen. */
export class ItemFinder {
  readonly view: ArrowTemplate;
  readonly #server: StudioServer;
  readonly #state = reactive({ found: { total: 0, items: [] } as FoundItems, note: "", turn: 0 });
  #run = 0;
  #query = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `id` is that of the input. */
  constructor(id: string, server: StudioServer, onPick: (item: number) => void) {
    this.#server = server;
    const state = this.#state;
    const type = ({ target }: PageEvent) => {
      this.#query = target.value;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), PAUSE);
    };
    const key = async (event: PageEvent) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      clearTimeout(this.#timer);
      await this.#ask();
      const [first] = state.found.items;
      if (first) onPick(first.item);
    };
    this.view = html`
      <h3><label for="${id}">Find an item</label></h3>
      <input id="${id}" type="search" autocomplete="off" placeholder="words of a title" @input="${type}"
        @keydown="${key}">
      <p class="quiet" role="status">${() => state.note}</p>
      <ul class="items" id="${`${id}-found`}">${() =>
        state.found.items.map(({ item, title }) =>
          html`<li><button class="item" @click="${() => onPick(item)}">${title}</button></li>`.key(
            `${state.turn}:${item}`,
          )
        )}</ul>
    `;
  }

  /** Searches another run. */
  open(run: number): Promise<void> {
    this.#run = run;
    return this.#ask();
  }

  async #ask(): Promise<void> {
    const state = this.#state;
    state.note = "Searching…";
    try {
      const found = await this.#server.get<FoundItems>("items", { run: this.#run, q: this.#query });
      state.turn++;
      state.found = found;
      state.note = found.total === 0
        ? "No title has these words"
        : `${found.items.length} of ${found.total} items`;
    } catch (error) {
      state.found = { total: 0, items: [] };
      state.note = (error as Error).message;
    }
  }
}

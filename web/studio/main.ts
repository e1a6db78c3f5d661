// The page of the studio.
import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { dom, type PageEvent } from "../page/dom.ts";
import { evaluationsView } from "./evaluations_view.ts";
import { itemsView } from "./items_view.ts";
import type { StudioRun, StudioSettings } from "./messages.ts";
import { StudioServer, TokenNeeded } from "./server.ts";
import { settingsView } from "./settings_view.ts";
import { trainingView } from "./training_view.ts";
import { tryView } from "./try_view.ts";

/** A part of the page, shown when its name is behind `#`. `start` is called when it is shown first. */
interface Part {
  title: string;
  view: ArrowTemplate;
  start?(): void;
}

const { document, location } = dom;
const page = document.getElementById("page");
page.replaceChildren();
const server = new StudioServer();
const state = reactive({
  about: "",
  error: "",
  asksToken: false,
  titles: {} as Record<string, string>,
  shown: "",
});

html`
  <header>
    <h1>Studio</h1>
    <p class="quiet" id="about">${() => state.about}</p>
    <nav aria-label="Parts of the page">${() =>
      Object.entries(state.titles).map(([name, title]) =>
        html`<a href="${`#${name}`}" aria-current="${() =>
          state.shown === name ? "page" : "false"}">${title}</a>`.key(name)
      )}</nav>
  </header>
  ${() =>
    state.error && html`
      <section class="warnings" role="alert">
        <h2>Not shown</h2>
        <p>${() => state.error}</p>
      </section>
    `}
  ${() =>
    state.asksToken && html`
      <section>
        <h2>Token</h2>
        <form id="token-form"
          @submit="${(event: PageEvent) => {
            event.preventDefault();
            server.token = document.getElementById("token").value.trim();
            state.asksToken = false;
            start();
          }}"><label>This server asks for one of its tokens <input id="token" type="password" autocomplete="off" required></label>
        <button>Go on</button></form>
      </section>
    `}
  <div id="parts"></div>
`(page);

start();

async function start(): Promise<void> {
  try {
    const runs = await server.get<StudioRun[]>("runs");
    const settings = await server.get<StudioSettings>("settings");
    state.about = runs.length === 1 ? runs[0].path : `${runs.length} runs`;
    show({
      training: { title: "Training", ...trainingView(server, runs, settings) },
      settings: { title: "Settings", view: settingsView(runs, settings) },
      items: { title: "Items", ...itemsView(server, runs) },
      try: { title: "Try it", ...tryView(server, runs) },
      evaluations: { title: "Evaluations", ...evaluationsView(server) },
    });
  } catch (error) {
    if (error instanceof TokenNeeded) state.asksToken = true;
    else state.error = (error as Error).message;
  }
}

function show(parts: Readonly<Record<string, Part>>): void {
  const places = Object.entries(parts).map(([name, { view }]) => {
    const place = document.createElement("div");
    place.setAttribute("id", `part-${name}`);
    document.getElementById("parts").append(place);
    view(place as never);
    return [name, place] as const;
  });
  const started = new Set<string>();
  const turn = () => {
    const named = location.hash.slice(1);
    state.shown = named in parts ? named : Object.keys(parts)[0];
    for (const [name, place] of places) place.hidden = name !== state.shown;
    if (started.has(state.shown)) return;
    started.add(state.shown);
    parts[state.shown].start?.();
  };
  state.titles = Object.fromEntries(Object.entries(parts).map(([name, { title }]) => [name, title]));
  addEventListener("hashchange", turn);
  turn();
}

import { type ArrowTemplate, html, reactive } from "@arrow-js/core";
import { itemMap, mapPlaces, plainSid } from "../../sid/report/html_charts.ts";
import { dom, type PageEvent } from "../page/dom.ts";
import { ItemFinder } from "./item_finder.ts";
import { placeTowards } from "./drawings/map_keys.ts";
import type { ItemPlace, StudioItem, StudioMap, StudioRun, TreeLevel, TreeShape } from "./messages.ts";
import { runChoice } from "./run_choice.ts";
import type { StudioServer } from "./server.ts";
import { bandAt, treeDrawing } from "./drawings/tree_drawing.ts";

/** The items of a run: search, what is near one, the tree of SIDs and the map. */
export function itemsView(
  server: StudioServer,
  runs: readonly StudioRun[],
): { view: ArrowTemplate; start(): void } {
  const state = reactive({
    place: undefined as ItemPlace | undefined,
    level: undefined as TreeLevel | undefined,
    note: "",
    mapNote: "",
    treeNote: "",
    turn: 0,
  });
  let run = 0;
  let map: StudioMap | undefined;
  let shape: TreeShape | undefined;
  const finder = new ItemFinder("item-search", server, pick);

  async function pick(item: number): Promise<void> {
    try {
      state.note = "Looking…";
      const place = await server.get<ItemPlace>("item", { run, item });
      state.turn++;
      state.place = place;
      state.note = "";
      drawMap();
      if (place.path.length > 0) await descend(place.path.slice(0, -1).map(({ token }) => token));
    } catch (error) {
      state.note = (error as Error).message;
    }
  }

  async function descend(prefix: readonly string[]): Promise<void> {
    try {
      const level = await server.get<TreeLevel>("tree", { run, prefix: prefix.join("") });
      state.turn++;
      state.level = level;
      state.treeNote = "";
      drawTree();
    } catch (error) {
      state.level = undefined;
      state.treeNote = (error as Error).message;
    }
  }

  async function open(chosen: number): Promise<void> {
    run = chosen;
    map = shape = undefined;
    state.place = undefined;
    state.mapNote = "Drawing the map…";
    state.treeNote = "Reading the run…";
    drawMap();
    drawTree();
    await finder.open(run);
    await descend([]);
    try {
      const found = await server.get<TreeShape>("shape", { run });
      if (run !== chosen) return;
      shape = found;
      drawTree();
    } catch (error) {
      state.treeNote = (error as Error).message;
    }
    try {
      const found = await server.get<StudioMap>("map", { run });
      if (run !== chosen) return;
      map = found;
      const [first, second] = found.map.explained.map((share) => `${(100 * share).toFixed(1)} %`);
      state.mapNote =
        `By ${found.by}: the two directions in which they vary most (${first} and ${second} of the ` +
        "variance), coloured by first code. Click an item to see it, or walk with the arrow keys.";
    } catch (error) {
      state.mapNote = (error as Error).message;
    }
    drawMap();
  }

  function drawMap(): void {
    dom.document.getElementById("item-map").innerHTML = map ? itemMap(map, state.place?.item) : "";
  }

  function drawTree(): void {
    const drawing = shape && shape.widths.length > 0 ? treeDrawing(shape, state.level?.prefix ?? []) : "";
    dom.document.getElementById("tree-drawing").innerHTML = drawing;
  }

  function clickTree({ clientX, clientY }: PageEvent): void {
    if (!shape) return;
    const { left, top, width, height } = dom.document.getElementById("tree-drawing").getBoundingClientRect();
    const prefix = bandAt(shape, (clientX - left) / width, (clientY - top) / height);
    if (prefix) descend(prefix);
  }

  function walkMap(event: PageEvent): void {
    if (!map) return;
    const from = state.place === undefined ? -1 : map.map.items.indexOf(state.place.item);
    const place = placeTowards(mapPlaces(map.map), from < 0 ? undefined : from, event.key);
    if (place === undefined) return;
    event.preventDefault();
    pick(map.map.items[place]);
  }

  function clickMap({ clientX, clientY }: PageEvent): void {
    if (!map) return;
    const { left, top, width, height } = dom.document.getElementById("item-map").getBoundingClientRect();
    const distances = mapPlaces(map.map).map((place) =>
      Math.hypot(left + place.left * width - clientX, top + place.top * height - clientY)
    );
    const nearest = distances.indexOf(Math.min(...distances));
    if (distances[nearest] < 20) pick(map.map.items[nearest]);
  }

  const list = (items: readonly (StudioItem & { score?: number })[], of: string) =>
    html`<ul class="items">${
      items.map(({ item, title, sid, score }) =>
        html`<li><button class="item" @click="${() => pick(item)}">${title}</button>
        <span class="facts">${score === undefined ? "" : plainScore(score)} <code>${
          sid ? plainSid(sid) : ""
        }</code></span></li>`
          .key(`${state.turn}:${of}:${item}`)
      )
    }</ul>`;

  const placeView = ({ item, title, description, categories, sid, path, siblings, neighbours }: ItemPlace) =>
    html`
      <h3 id="item-title">${title}</h3>
      <p class="quiet">item ${item}${categories ? `, ${categories.join(", ")}` : ""}</p>
      ${sid &&
        html`<ol class="codes" id="code-path" aria-label="Codes of the item">${
          path.map(({ token, items }, i) =>
            html`<li><button @click="${() => descend(path.slice(0, i + 1).map((one) => one.token))}"><code>${
              plainSid(token)
            }</code>
          ${items === 1 ? "alone" : `${items} items`}</button></li>`
          )
        }</ol>`}
      ${description && html`
        <details>
          <summary>Description</summary>
          <p>${description}</p>
        </details>
      `}
      ${siblings.map(({ shared, count, items }) =>
        html`<h3>${
          shared === path.length
            ? "The same SID"
            : `The first ${shared === 1 ? "code" : `${shared} codes`} shared`
        }: ${count}</h3>
          ${list(items, `siblings ${shared}`)}`
      )}
      <h3>Nearest by ${neighbours.by}</h3>
      ${list(neighbours.items, "near")}
    `.key(`${state.turn}`);

  const levelView = ({ prefix, count, widths, children, items }: TreeLevel) => {
    const most = Math.max(1, ...children.map((child) => child.items));
    return html`
      <ol class="codes" id="tree-path" aria-label="Where in the tree">
        <li><button @click="${() => descend([])}">root</button></li>
        ${prefix.map((token, i) =>
          html`<li><button @click="${() => descend(prefix.slice(0, i + 1))}"><code>${
            plainSid(token)
          }</code></button></li>`
        )}
      </ol>
      <p class="quiet" id="tree-shape">${count} items${widths.map((width, i) =>
        `${i === 0 ? ": " : ", then "}${width} codes`
      ).join("")}</p>
      <ul class="children" id="tree-children">${children.map(({ token, items, words }) =>
        html`<li><button @click="${() => descend([...prefix, token])}"><code>${plainSid(token)}</code>
          <span class="quiet">${words.join(", ")}</span>
          <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="share" width="${
          String(100 * items / most)
        }" height="8" rx="2"></rect></svg>
          <span class="count">${items}</span></button></li>`
      )}</ul>
      ${children.length < 2 ? list(items, "leaf") : ""}
    `.key(`${state.turn}`);
  };

  const view = html`
    <p class="picker">${runChoice("items-run", runs, open)}</p>
    <div class="columns">
      <section>
        <h2>Items</h2>
        ${finder.view}
        <p class="quiet" role="status">${() => state.note}</p>
        <div id="item-place" aria-live="polite">${() => state.place ? [placeView(state.place)] : []}</div>
      </section>
      <section>
        <h2>Tree of semantic IDs</h2>
        <p class="quiet" role="status">${() => state.treeNote}</p>
        ${() => state.level ? [levelView(state.level)] : []}
      </section>
    </div>
    <section>
      <h2>The whole tree</h2>
      <div id="tree-drawing" @click="${clickTree}"></div>
    </section>
    <section>
      <h2>Map</h2>
      <p class="quiet" id="map-help">${() => state.mapNote}</p>
      <div
        id="item-map"
        tabindex="0"
        role="group"
        aria-describedby="map-help"
        aria-label="Map of the items"
        @click="${clickMap}"
        @keydown="${walkMap}"
      ></div>
    </section>
  `;
  return { view, start: () => void open(0) };
}

/** A cosine or a count. */
function plainScore(score: number): string {
  return Number.isInteger(score) ? String(score) : score.toFixed(2);
}

import { details, escapeHtml, htmlPage, section, table, tiles, withThousands } from "../../base/html_page.ts";
import { percent } from "../../base/round.ts";
import type { CatalogueReport, CollisionGroup, NamedItem, NeighbourExample } from "./catalogue.ts";
import { codeColour, CODES_LISTED, itemMap, plainSid, purityBars, usageCurve } from "./html_charts.ts";
import css from "./html.css" with { type: "text" };

/** The report of a catalogue with how it was made: `sid.report.json`. */
export interface SidReportFile extends CatalogueReport {
  /** Name of the method. */
  method: string;
  /** Its settings. */
  settings: unknown;
  /** What was coded. */
  embeddings: string;
  /** Collision policy. */
  policy: string;
  /** Items whose vectors were all zeros, by the file that they came from. */
  zeroRows: Record<string, number[]>;
  /** What the method says of its fit. */
  notes: Record<string, unknown>;
}

/** A web page of the report: one file, no script, nothing fetched. */
export function htmlReport(report: SidReportFile): string {
  const { method, items, embeddings, levels } = report;
  const title = `Semantic IDs of ${withThousands(items)} items`;
  const body = [
    `<header><h1>${title}</h1><p class="quiet">${escapeHtml(method)}, ${levels.length} levels, from ` +
    `${escapeHtml(embeddings)}</p></header>`,
    tiles(facts(report)),
    warnings(report),
    codebooks(report),
    map(report),
    purity(report),
    neighbours(report.neighbours),
    collisions(report),
    making(report),
  ];
  return htmlPage(title, css, body);
}

function facts(
  { items, distinct, beforePolicy, collisionRate, changed, policy, unexplained, lengths }: SidReportFile,
): [value: string, label: string][] {
  const depth = Object.keys(lengths).map(Number);
  return [
    [withThousands(distinct), `different SIDs of ${withThousands(items)} items`],
    [percent(beforePolicy.collisionRate), "collide as coded"],
    [percent(collisionRate), `collide after ${policy}, which changed ${withThousands(changed)}`],
    [depth.length === 1 ? `${depth[0]}` : `${Math.min(...depth)}\u2013${Math.max(...depth)}`, "codes a SID"],
    [percent(unexplained.at(-1)!), "of the variance is not in the codes"],
  ];
}

function warnings({ warnings, zeroRows }: SidReportFile): string {
  const lacking = Object.entries(zeroRows).map(([file, rows]) =>
    `${withThousands(rows.length)} items have no vector in ${file}, such as ${
      rows.slice(0, 5).join(", ")
    }: what else is ` +
    "known of them decides their codes"
  );
  const lines = [...warnings, ...lacking];
  if (lines.length === 0) return "";
  return section(
    "Look at this first",
    "",
    `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("")}</ul>`,
    "warnings",
  );
}

function codebooks({ levels, codewordItems, unexplained }: SidReportFile): string {
  const rows = levels.map(({ level, items, used, codebookSize, usage, gini, perplexity, entropy }, l) => [
    level,
    withThousands(items),
    `<span class="meter"><i style="width:${(100 * usage).toFixed(0)}%"></i></span>${used} of ${codebookSize}`,
    gini.toFixed(2),
    entropy.toFixed(2),
    perplexity.toFixed(1),
    unexplained[l] === undefined ? "\u2013" : percent(unexplained[l]),
  ]);
  const head = ["level", "items", "codewords used", "Gini", "entropy, bits", "perplexity", "variance left"];
  const curves = codewordItems.map((counts, l) =>
    usageCurve(levels[l].level, counts, levels[l].codebookSize)
  );
  return section(
    "Codebooks",
    "A good level uses all of its codewords, none of them far more often than others: Gini near 0, perplexity near the " +
      "codebook's size. What is left of the variance is what the codes up to a level do not say about an item.",
    `${table(head, rows, 1)}<div class="curves">${curves.join("")}</div>`,
  );
}

function map(report: SidReportFile): string {
  const { map, clusters } = report;
  const [first, second] = map.explained;
  const legend = clusters.slice(0, CODES_LISTED).map(({ token, items, words }, rank) => {
    const name = `<span class="quiet">${escapeHtml(words.join(", "))}</span>`;
    return `<li>${dot(codeColour(rank))}<code>${plainSid(token)}</code> ` +
      `${withThousands(items)} items ${name}</li>`;
  });
  const more = clusters.length > CODES_LISTED
    ? ` The ${CODES_LISTED} largest of ${clusters.length} first codes are listed, the others drawn faintly.`
    : "";
  return section(
    "Map of the items",
    `The two directions in which the vectors vary most (${percent(first)} and ${
      percent(second)
    } of the variance), ` +
      `coloured by first code, named by the words that set their titles apart. Items of one code should lie together.` +
      `${more}`,
    `${itemMap(report)}<ul class="legend">${legend.join("")}</ul>`,
  );
}

/** A mark of a colour. */
function dot(colour: string): string {
  return `<svg class="dot" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="${colour}"/></svg>`;
}

function purity({ purity }: SidReportFile): string {
  if (purity === null || purity.prefixes.length === 0) return "";
  return section(
    `Agreement with the ${purity.by}`,
    `Share of items that have the most frequent ${purity.by} among the items with the same first codes. The mark ` +
      "shows the same for labels dealt out at random, since small groups are pure by chance. Items alone with their " +
      "prefix do not count.",
    purityBars(purity.prefixes),
  );
}

function neighbours(examples: readonly NeighbourExample[]): string {
  if (examples.length === 0) return "";
  const cards = examples.map(({ item, title, sid, groups }) =>
    `<div class="example"><h3>${escapeHtml(title)}</h3><p class="quiet">item ${item} <code>${
      plainSid(sid)
    }</code></p>` +
    `<dl>${
      groups.map(({ shared, count, nearest }) =>
        `<dt>${shared === 1 ? "1 code" : `${shared} codes`} shared with ${withThousands(count)} ${
          count === 1 ? "item" : "items, nearest"
        }</dt>${
          nearest.map(({ title, sid }) => `<dd>${escapeHtml(title)} <code>${plainSid(sid)}</code></dd>`).join(
            "",
          )
        }`
      ).join("")
    }</dl></div>`
  );
  return section(
    "Neighbours by prefix",
    "Random items, each with the nearest of those that share its first codes. The more codes two items share, the " +
      "more alike they should be.",
    `<div class="examples">${cards.join("")}</div>`,
  );
}

function collisions(
  { beforePolicy, collisionsBefore, collisionsAfter, collisionGroups, moved, changed, policy }: SidReportFile,
): string {
  const parts = [
    groupList("Groups of equal codes, before the policy", collisionsBefore, beforePolicy.collisionGroups),
    groupList("Groups that share a SID after the policy", collisionsAfter, collisionGroups),
    moved.length === 0 ? "" : details(
      `Items that ${policy} changed: ${listed("first", moved.length, changed)}`,
      table(
        ["item", "from", "to"],
        moved.map((item) => [
          named(item),
          `<code>${plainSid(item.from)}</code>`,
          `<code>${plainSid(item.to)}</code>`,
        ]),
        3,
      ),
    ),
  ].filter((part) => part !== "");
  return section(
    "Collisions",
    parts.length === 0
      ? "No two items have the same codes."
      : "Items whose codes are equal, and what the policy made of them.",
    parts.join(""),
  );
}

function groupList(title: string, groups: readonly CollisionGroup[], total: number): string {
  if (groups.length === 0) return "";
  const rows = groups.map(({ sid, size, items }) => [
    `<code>${plainSid(sid)}</code>`,
    items.map(named).join("<br>") + (size > items.length ? `<br>and ${size - items.length} more` : ""),
    String(size),
  ]);
  return details(
    `${title}: ${listed("largest", groups.length, total)}`,
    table(["codes", "items", "size"], rows, 2),
  );
}

function making({ method, settings, policy, embeddings, notes }: SidReportFile): string {
  const facts: Record<string, unknown> = {
    method,
    embeddings,
    collisions: policy,
    ...settings as object,
    ...notes,
  };
  const rows = Object.entries(facts).map(([key, value]) => [
    escapeHtml(key),
    escapeHtml(typeof value === "object" ? JSON.stringify(value) : String(value)),
  ]);
  return section("How they were made", "", table(["setting", "value"], rows, 2), "values");
}

function named({ item, title }: NamedItem): string {
  return `<span class="quiet">${item}</span> ${escapeHtml(title)}`;
}

function listed(which: string, shown: number, total: number): string {
  return shown === total
    ? withThousands(total)
    : `the ${which} ${withThousands(shown)} of ${withThousands(total)}`;
}

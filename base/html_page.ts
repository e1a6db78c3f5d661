import css from "./html_page.css" with { type: "text" };

/** A web page in one file: no script, nothing fetched. `style` is CSS of its own, `body` HTML, part by part. */
export function htmlPage(title: string, style: string, body: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
${css}${style}</style>
</head>
<body>
<main>
${body.filter((part) => part !== "").join("\n")}
</main>
</body>
</html>
`;
}

/** Text as it may stand in HTML, attributes included. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** A whole number with thin spaces between thousands. */
export function withThousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Figures in a row. */
export function tiles(facts: readonly [value: string, label: string][]): string {
  return `<div class="tiles">${
    facts.map(([value, label]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`
    ).join("")
  }</div>`;
}

/** A card of the page; `title` and `text` are plain text, `content` is HTML. */
export function section(title: string, text: string, content: string, kind = ""): string {
  return `<section${kind && ` class="${kind}"`}><h2>${escapeHtml(title)}</h2>${
    text && `<p class="quiet">${escapeHtml(text)}</p>`
  }${content}</section>`;
}

/** What opens on a click; `summary` is plain text. */
export function details(summary: string, content: string): string {
  return `<details><summary>${escapeHtml(summary)}</summary>${content}</details>`;
}

/** A table. Cells are HTML; the first `left` columns hold text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${
      cells.map((cell, i) => `<${tag}${i < left ? ' class="text"' : ""}>${cell}</${tag}>`).join("")
    }</tr>`;
  return `<div class="scroll"><table><thead>${row(head, "th")}</thead><tbody>${
    rows.map((cells) => row(cells, "td")).join("")
  }</tbody></table></div>`;
}

// Links and paths of the documentation lead somewhere.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { anchorOf } from "../../bench/pages/summary.ts";
import { fencesOf, pages, root } from "./markdown.ts";

const all = pages();
const ROOMS =
  "base|bench|configs|data|decode|docs|embed|eval|kernels|models|prompts|sid|tasks|tests|train|web";

/** Headings of a page as GitHub anchors; what stands in blocks is none. */
function anchorsOf(page: string): string[] {
  let text = all[page];
  for (const fence of fencesOf(page, text)) text = text.replace(fence.text, "");
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading));
}

Deno.test("links between pages lead to a file and a heading", () => {
  const wrong: string[] = [];
  for (const [page, text] of Object.entries(all)) {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path, anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) wrong.push(`${page}: ${target}: no such file`);
      else if (anchor !== undefined && !anchorsOf(file).includes(anchor)) {
        wrong.push(`${page}: ${target}: no such heading`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("docs/guides/adding.md names every registry", () => {
  const registries = ROOMS.split("|").flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((name) => room !== "tests" && /(^|\/)registry\.ts$/.test(name)).map((name) => `${room}/${name}`)
  );
  assert.ok(registries.length > 10);
  assert.deepEqual(registries.filter((path) => !all["docs/guides/adding.md"].includes(`\`${path}\``)), []);
});

Deno.test("files and folders that pages name are there", () => {
  const wrong: string[] = [];
  const path = new RegExp(`^(?:${ROOMS})/[\\w./-]*$`);
  for (const [page, text] of Object.entries(all)) {
    text.split("\n").forEach((line, i) => {
      for (const [, code] of line.matchAll(/`([^`]+)`/g)) {
        // x stands for a name of the reader's; datasets and runs lie where the reader wants.
        if (!path.test(code) || /(^|\/)x(_spec)?[./]|^data\/(mine|office|small|shop|ml)\b/.test(code)) {
          continue;
        }
        if (!existsSync(join(root, code))) wrong.push(`${page}:${i + 1}: ${code}`);
      }
    });
  }
  assert.deepEqual(wrong, []);
});

import assert from "node:assert/strict";
import { details, escapeHtml, htmlPage, section, table, tiles, withThousands } from "../../base/html_page.ts";
import { percent } from "../../base/round.ts";

Deno.test("withThousands(), percent() and escapeHtml() write numbers and text for pages", () => {
  assert.deepEqual([12, 3686, 1234567].map(withThousands), ["12", "3\u202f686", "1\u202f234\u202f567"]);
  assert.equal(percent(0.1234), "12.3 %");
  assert.equal(escapeHtml(`<a href="x">'&'</a>`), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
});

Deno.test("htmlPage() is one file with its style, without the parts that are empty", () => {
  const body = [
    section("A < B", "", table(["x"], [["<b>1</b>"]], 1)),
    "",
    details("more", ""),
    tiles([["1", "<"]]),
  ];
  const html = htmlPage("A & B", ".own { color: red }\n", body);
  assert.match(html, /^<!doctype html>\n<html lang="en">/);
  assert.match(html, /<title>A &amp; B<\/title>/);
  assert.match(html, /<h2>A &lt; B<\/h2><div class="scroll">/);
  assert.match(html, /<td class="text"><b>1<\/b><\/td>/);
  assert.match(html, /\.own \{ color: red \}\n<\/style>/);
  assert.match(html, /<b>1<\/b><span>&lt;<\/span>/);
  assert.doesNotMatch(html, /<script|<link|<img|@import|url\(|https?:\/\//);
  assert.doesNotMatch(html, /\n\n/);
});

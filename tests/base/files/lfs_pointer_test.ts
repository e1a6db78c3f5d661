import assert from "node:assert/strict";
import { z } from "zod";
import { diskFiles } from "../../../base/files/disk.ts";
import { readJsonLines } from "../../../base/files/json_lines.ts";
import { readFileHeader } from "../../../models/safetensors/header.ts";

const POINTER = "version https://git-lfs.github.com/spec/v1\n" +
  "oid sha256:4f1b1f3b9c2d6e5a4f1b1f3b9c2d6e5a4f1b1f3b9c2d6e5a4f1b1f3b9c2d6e5a\nsize 988097824\n";

async function withFile(content: string, work: (path: string) => Promise<void>) {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, content);
    await work(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a pointer of Git LFS is called one, with the command that fetches the file, by every reader", async () => {
  await withFile(POINTER, async (path) => {
    const readers: [string, () => Promise<unknown>][] = [
      ["whole", () => diskFiles.readFile(path)],
      ["beginning", () => diskFiles.readRange(path, 0, 8)],
      ["more than there is", () => diskFiles.readRange(path, 0, 4096)],
      ["safetensors", () => readFileHeader(path, diskFiles)],
      ["JSON lines", () => readJsonLines(path, z.unknown()).next()],
    ];
    for (const [what, read] of readers) {
      await assert.rejects(read, (error: Error) => {
        assert.equal(error.name, "UserError", what);
        assert.match(error.message, /^Cannot read \S+: it is a Git LFS pointer.*`git lfs pull`/, what);
        return true;
      });
    }
  });
});

Deno.test("a text that only begins like a pointer is read as it is", async () => {
  for (const text of ["version https://git-lfs.github.com/", "version 2 of the list\n", "versions", "v"]) {
    await withFile(text, async (path) => {
      assert.equal(new TextDecoder().decode(await diskFiles.readFile(path)), text);
      assert.equal(new TextDecoder().decode(await diskFiles.readRange(path, 0, text.length)), text);
    });
  }
});

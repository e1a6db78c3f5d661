import assert from "node:assert/strict";
import { diskFiles } from "../../../base/files/disk.ts";
import { sha256 } from "../../../base/files/sha256.ts";

Deno.test("a range of a file holds its bytes, and one past the end names the file and where it ends", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, Uint8Array.of(10, 11, 12, 13, 14));
    assert.deepEqual([...await diskFiles.readRange(path, 1, 4)], [11, 12, 13]);
    assert.equal(await diskFiles.fileSize(path), 5);
    await assert.rejects(diskFiles.readRange(path, 3, 9), {
      name: "UserError",
      message:
        `Cannot read ${path}: it ends at byte 5, expected at least 9. It is cut off, fetch or save it again`,
    });
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("files of a folder are listed by name, folders left out", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/a`);
    for (const name of ["c", "b"]) await Deno.writeTextFile(`${folder}/${name}`, "");
    assert.deepEqual(await diskFiles.listFiles(folder), ["b", "c"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that is not there is named", async () => {
  for (const read of [diskFiles.readFile, diskFiles.fileSize, diskFiles.listFiles]) {
    await assert.rejects(read("no/such/file"), {
      name: "UserError",
      message: "Cannot read no/such/file: no such file. Check the path",
    });
  }
});

Deno.test("a device has no end: neither is it read nor hashed", async () => {
  const link = `${await Deno.makeTempDir()}/items.parquet`;
  await Deno.symlink("/dev/zero", link);
  for (const read of [(path: string) => diskFiles.readFile(path), sha256]) {
    await assert.rejects(() => read(link), {
      name: "UserError",
      message: `Cannot read ${link}: it is a device, expected a file. Check the path, or where it links to`,
    });
  }
});

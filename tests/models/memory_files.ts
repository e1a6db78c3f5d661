import type { ModelFile } from "../../models/hugging_face/pretrained.ts";
import type { ModelFiles } from "../../models/hugging_face/weight_files.ts";

/** A directory that exists in memory alone; a path's folder is not looked at. */
export function memoryFiles(files: readonly ModelFile[]): ModelFiles {
  const byName = new Map(files.map(({ name, bytes }) => [name, bytes]));
  const read = (path: string) => {
    const bytes = byName.get(path.split("/").at(-1)!);
    if (!bytes) throw new Error(`no file ${path}`);
    return bytes;
  };
  return {
    readFile: (path) => Promise.resolve(read(path)),
    readRange: (path, start, end) => Promise.resolve(read(path).slice(start, end)),
    fileSize: (path) => Promise.resolve(read(path).length),
    listFiles: () => Promise.resolve([...byName.keys()].sort()),
  };
}

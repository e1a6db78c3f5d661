import type { ReadFiles } from "../../base/files/disk.ts";
import { SINGLE } from "../hugging_face/weight_files.ts";
import { GgufModel } from "./model.ts";
import { INSIDE_GGUF, isGguf } from "./path.ts";

/**
 * `files` in which a GGUF file is a Hugging Face directory as well: it lists `config.json`, `model.safetensors` and the
 * files of its tokenizer, and they are read as if they lay in it. Nothing is unpacked before it is read.
 */
export function withGguf(files: ReadFiles): ReadFiles {
  const opened = new Map<string, Promise<GgufModel>>();
  const open = (path: string) => {
    const known = opened.get(path);
    if (known) return known;
    const made = GgufModel.open(path, files);
    opened.set(path, made);
    return made;
  };
  const inside = async (path: string) => {
    const [, file, name] = INSIDE_GGUF.exec(path) ?? [];
    return file === undefined ? undefined : { model: await open(file), name };
  };
  return {
    async listFiles(path) {
      return isGguf(path) ? [...(await open(path)).texts.keys(), SINGLE].sort() : await files.listFiles(path);
    },
    async fileSize(path) {
      const found = await inside(path);
      if (!found) return await files.fileSize(path);
      return found.name === SINGLE ? found.model.weightBytes : found.model.texts.get(found.name)?.length ?? 0;
    },
    async readRange(path, start, end) {
      const found = await inside(path);
      if (!found) return await files.readRange(path, start, end);
      if (found.name === SINGLE) return await found.model.readWeights(start, end);
      return found.model.texts.get(found.name)!.slice(start, end);
    },
    async readFile(path) {
      const found = await inside(path);
      const text = found?.model.texts.get(found.name);
      return text?.slice() ?? await files.readFile(path);
    },
  };
}

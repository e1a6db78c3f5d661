import type { Corpus } from "../corpus.ts";
import type { DatasetFormat } from "../formats/format.ts";
import { syntheticCorpus } from "./shop.ts";
import { UserError } from "../../base/user_error.ts";

/** The built-in dataset under the name `synthetic` or `synthetic:SEED`; `./synthetic` is a directory. */
export const syntheticFormat: DatasetFormat = {
  name: "built-in",
  layout: "no files, named synthetic or synthetic:SEED",

  recognises(dir: string): Promise<boolean> {
    return Promise.resolve(dir === "synthetic" || dir.startsWith("synthetic:"));
  },

  read(dir: string): Promise<Corpus> {
    const seed = dir === "synthetic" ? "0" : dir.slice("synthetic:".length);
    if (!/^\d{1,15}$/.test(seed)) {
      throw new UserError(
        `Cannot generate dataset ${dir}: expected a seed of up to 15 digits such as synthetic:7, found "${seed}". ` +
          `Pass a number`,
      );
    }
    return Promise.resolve(syntheticCorpus({ seed: Number(seed) }));
  },
};

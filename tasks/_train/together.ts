import { sha256OfContent } from "../../base/files/sha256.ts";
import { agree } from "../../base/parallel/agree.ts";
import { gatherJson, type World } from "../../base/parallel/world.ts";
import type { ChoiceStore } from "../../kernels/gpu/variants.ts";
import type { RunRecord } from "../../train/runs/start_run.ts";

/** What ranks have in common. */
export interface Common extends Pick<RunRecord, "manifest" | "texts"> {
  settings: object;
}

/** Throws {@link UserError} where the ranks of a training have not the same program, settings and files. */
export async function agreeOn(world: World, { manifest, texts = {}, settings }: Common): Promise<void> {
  if (world.size === 1) return;
  const { genrec, deno, dataset, layout, dtype, inputs } = manifest;
  await agree(world, "train", {
    "the version of genrec": genrec,
    "the version of Deno": deno,
    "the dataset": dataset,
    "the layout of matrices": layout,
    "their number format": dtype,
    ...Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`the setting ${key}`, JSON.stringify(value)]),
    ),
    ...Object.fromEntries(Object.entries(inputs).map(([path, hash]) => [`the SHA-256 of ${path}`, hash])),
    ...Object.fromEntries(
      Object.entries(texts).map((
        [name, text],
      ) => [`the SHA-256 of the run's ${name}`, sha256OfContent(text)]),
    ),
  });
}

/** Times kernels on the first rank and takes its choices in all of them: other kernels would sum in another order. */
export async function tuneTogether(
  world: World,
  store: ChoiceStore,
  tune: (store: ChoiceStore) => Promise<void>,
): Promise<void> {
  const chosen: Record<string, string> = {};
  const noting: ChoiceStore = {
    get(key) {
      const value = store.get(key);
      if (value !== undefined) chosen[key] = value;
      return value;
    },
    set(key, value) {
      chosen[key] = value;
      store.set(key, value);
    },
  };
  if (world.rank === 0) await tune(noting);
  const [first] = await gatherJson(world, chosen);
  if (world.rank > 0) await tune({ ...store, get: (key) => first[key] });
}

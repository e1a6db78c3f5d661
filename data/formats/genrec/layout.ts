import { z } from "zod";
import { SPLIT_KINDS } from "../../corpus.ts";
import type { TableType } from "../../../base/files/parquet/table.ts";

/** The file that says what a directory is. */
export const DATASET_JSON = "dataset.json";

/** Folder of texts of other formats, each under `FORMAT/FILE`. */
export const ATTACHMENTS = "attachments";

/** `dataset.json`; fields beyond these are facts for people. */
export const DatasetJson = z.looseObject({
  format: z.literal("genrec-dataset"),
  version: z.literal(1, { error: "1, the one version that this program knows" }),
  name: z.string().min(1),
  source: z.string(),
  license: z.string(),
  split: z.enum(SPLIT_KINDS),
  maxHistory: z.int().min(1),
  /** Every setting that the data depends on. */
  settings: z.record(z.string(), z.unknown()).default({}),
  /** SHA-256 of what it was made from, by path. */
  inputs: z.record(z.string(), z.string()).default({}),
  /** SHA-256 of every other file of the directory, by path in it. */
  files: z.record(z.string(), z.string()).default({}),
  /** Counts, for people. */
  statistics: z.record(z.string(), z.unknown()).default({}),
});
export type DatasetJson = z.infer<typeof DatasetJson>;

/** `items.parquet`. */
export const ITEM_TABLE = {
  item: { kind: "integer" },
  id: { kind: "text" },
  title: { kind: "text", nullable: true },
  description: { kind: "text", nullable: true },
  brand: { kind: "text", nullable: true },
  categories: { kind: "texts", nullable: true },
  price: { kind: "number", nullable: true },
  features: { kind: "text", nullable: true },
  attributes: { kind: "text", nullable: true },
} as const satisfies TableType;

/** `users.parquet`. */
export const USER_TABLE = {
  user: { kind: "integer" },
  id: { kind: "text" },
  attributes: { kind: "text", nullable: true },
} as const satisfies TableType;

/** `interactions.parquet`, by user, then time, then the order of the log. */
export const INTERACTION_TABLE = {
  user: { kind: "integer" },
  item: { kind: "integer" },
  time: { kind: "long", nullable: true },
  rating: { kind: "number", nullable: true },
} as const satisfies TableType;

/** `train.parquet`, `valid.parquet` and `test.parquet`. */
export const SAMPLE_TABLE = {
  user: { kind: "integer" },
  history: { kind: "integers" },
  item: { kind: "integer" },
  time: { kind: "long", nullable: true },
  attributes: { kind: "text", nullable: true },
} as const satisfies TableType;

import { z } from "zod";
import { grouped, memorySize } from "../../base/fields.ts";
import { INDEX_STYLES, TOKEN_ORDERS } from "../../data/formats/index_file.ts";
import { reportFields } from "../../train/run/fields.ts";
import { CRITERIA } from "../../sid/quantizer/config.ts";
import { COLLISION_POLICIES } from "../../sid/collisions/by_name.ts";
import { SID_METHODS, sidMethod } from "../../sid/methods/by_name.ts";
import { DeviceFlags } from "../_cli/open_device.ts";
import { settingsFlags } from "../_cli/settings_flags.ts";

const aligning = SID_METHODS.filter(({ needs }) => needs?.includes("collaborative")).map(({ name }) => name);

/** Weights that a method with training keeps: the best ones by each criterion. */
export const CHECKPOINTS = CRITERIA.map((criterion) => `best-${criterion}` as const);

/** Methods that train step by step. */
const training = SID_METHODS.filter(({ trains }) => trains).map(({ name }) => name).join(", ");

const fields = {
  ...grouped("Input", {
    embeddings: z.string().default("").describe("item embeddings, a .npy file of shape (items, dim)"),
    data: z.string().default("").describe(
      "dataset of the items: titles and categories for the report, histories for methods that need them; without " +
        "--embeddings its texts are embedded word by word",
    ),
    collab: z.string().default("").describe(
      "collaborative embeddings of the same items; zero rows are items that nobody bought",
    ),
    fuse: z.enum(["concat", "none"]).optional().describe(
      `concat codes both side by side, none leaves --collab to the method (default: concat${
        aligning.length > 0 ? `, none for ${aligning.join(" and ")}` : ""
      })`,
    ),
    textWeight: z.number().min(0).default(1).describe("length of the --embeddings part after --fuse concat"),
    collabWeight: z.number().min(0).default(1).describe("length of the --collab part"),
    unitLength: z.boolean().default(false).describe(
      "scale every vector to length 1 first; parts that are fused always are",
    ),
  }),
  ...grouped("Output", {
    out: z.string().default("").describe("folder to write: index.json, sid.report.html and what made them"),
    codeOffset: z.union([z.literal(0), z.literal(1)]).default(0).describe(
      "number of the first codeword, 0 as in RQ-VAE files or 1 as in those of constrained k-means",
    ),
    indexStyle: z.enum(INDEX_STYLES).default("lines").describe(
      "layout of index.json; MiniOneRec's are compact or indent2, MIMIGenRec's id2sid.json is indent4;",
    ),
    tokenOrder: z.enum(TOKEN_ORDERS).default("text").describe(
      "order of new_tokens.json; text is that of released checkpoints;",
    ),
  }),
  ...grouped("Codes", {
    method: z.enum(SID_METHODS.map(({ name }) => name)).default("rqkmeans").describe("how codes are found:"),
    collisions: z.enum(COLLISION_POLICIES.map(({ name }) => name)).default("nearest-free").describe(
      "items with equal codes:",
    ),
    memory: memorySize("4GB").describe(
      "what vectors and their copies may take; those of more are read from the file as they are needed, and rqkmeans learns " +
        "from mini-batches",
    ),
  }),
  ...grouped(`Training of ${training}`, {
    resume: z.boolean().default(false).describe(
      "go on with the training in --out that was stopped; its settings are --config OUT/training/config.json",
    ),
    ...reportFields,
  }),
  ...grouped("With SIDs that are there already (--sids)", {
    sids: z.string().default("").describe(
      "folder that an earlier `genrec sid` wrote, for --inspect, --add and --checkpoint",
    ),
    checkpoint: z.enum(CHECKPOINTS).optional().describe(
      "write the SIDs of these weights of the training, which is not done again;",
    ),
    inspect: z.string().default("").describe(
      "print the neighbours of this item: its number, its id or a part of its title",
    ),
    top: z.int().min(1).default(5).describe("neighbours a prefix that --inspect prints"),
    add: z.string().default("").describe(
      "give SIDs to new items, one JSON object with id and title a line; old SIDs stay as they are",
    ),
    maxBadLines: z.int().min(0).default(0).describe(
      "malformed lines of --add that are left out before it is an error",
    ),
  }),
  ...DeviceFlags,
};

/** Flags of `genrec sid`; unused ones of other modes are errors. */
export const config = z.strictObject({ ...fields, ...settingsFlags(SID_METHODS, "method") }).superRefine(
  (flags, context) => {
    const problem = usageProblem(flags);
    if (problem) context.addIssue({ code: "custom", message: problem });
  },
);

/** Parsed flags. */
export type SidFlags = z.output<z.ZodObject<typeof fields>> & Record<string, unknown>;

type Given = Pick<
  SidFlags,
  | "embeddings"
  | "data"
  | "collab"
  | "out"
  | "method"
  | "fuse"
  | "sids"
  | "inspect"
  | "add"
  | "checkpoint"
  | "resume"
  | "reportTo"
>;

function usageProblem(
  { embeddings, data, collab, out, method, fuse, sids, inspect, add, checkpoint, resume, reportTo }: Given,
): string | undefined {
  const modes = Object.entries({ inspect, add, checkpoint }).flatMap(([name, value]) => value ? [name] : []);
  const [mode, other] = modes;
  if (other) return `Cannot use --${mode} and --${other} together: run them one after the other`;
  if (mode && !sids) return `Missing --sids: the folder whose SIDs --${mode} uses`;
  if (!mode && sids) {
    return `Cannot use --sids alone: add --inspect ITEM, --add FILE.jsonl or --checkpoint ${CHECKPOINTS[0]}`;
  }
  const kept = resume ? "--resume" : reportTo.some((name) => name !== "none") ? "--report-to" : undefined;
  if (kept && mode) return `Cannot use ${kept} with --${mode}: nothing is trained`;
  if (kept && !sidMethod(method).trains) {
    return `Cannot use ${kept} with ${method}: it has no training to log or go on with, as ${training} have`;
  }
  if (inspect) return undefined;
  if (!out) return "Missing --out: the folder to write";
  if (mode) return undefined;
  if (!embeddings && !data) {
    return "Name --embeddings FILE.npy or --data DATASET, or both: nothing to make SIDs of" +
      (collab ? ". Collaborative vectors alone are --embeddings too" : "");
  }
  const needs = sidMethod(method).needs ?? [];
  if (needs.includes("collaborative") && !collab) {
    return `Missing --collab FILE.npy: ${method} aligns its codes with collaborative embeddings`;
  }
  if (needs.includes("collaborative") && fuse === "concat") {
    return `Cannot use --fuse concat with ${method}: it aligns its codes with --collab instead of coding it`;
  }
  if (collab && fuse === "none" && !needs.includes("collaborative")) {
    return `Cannot use --fuse none with ${method}: it would take no notice of --collab. Leave one of them out`;
  }
  if (needs.includes("histories") && !data) {
    return `Missing --data DATASET: ${method} learns from the histories of the train period`;
  }
}

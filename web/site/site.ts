import { z } from "zod";
import { parseJson } from "../../base/json.ts";
import { sha256Of } from "./sha256.ts";
import { TOKEN_NORMALISATIONS } from "../../kernels/trie/log_softmax.ts";

/** Version of the files of a site: pages read those of their own version alone. */
const VERSION = 1;

const ModelSchema = z.strictObject({
  dataset: z.string(),
  run: z.string(),
  checkpoint: z.string(),
  architecture: z.string(),
  maxHistory: z.int().min(1),
  normalisation: z.enum(TOKEN_NORMALISATIONS),
  dtype: z.string(),
  files: z.record(z.string(), z.strictObject({ bytes: z.int().min(0), sha256: z.string() })),
});

/** A model as a page needs it: where it comes from, how it is asked, and its files. */
export type SiteModel = z.output<typeof ModelSchema>;

const SiteSchema = z.strictObject({
  format: z.literal("genrec-site"),
  version: z.literal(VERSION),
  genrec: z.string(),
  model: ModelSchema,
  shop: z.strictObject({
    items: z.int().min(50),
    users: z.int().min(10),
    codewords: z.int().min(2),
    settings: z.record(z.string(), z.unknown()),
  }),
});

/**
 * What `site.json` holds: the model of the site, and how a page trains one of its own, with settings of `sft` that are
 * complete and checked.
 */
export type Site = z.output<typeof SiteSchema>;

/** Text of `site.json`. */
export function formatSite(site: Omit<Site, "format" | "version">): string {
  return JSON.stringify({ format: "genrec-site", version: VERSION, ...site } satisfies Site, null, 1) + "\n";
}

/** Reads `site.json`. Throws `UserError` for anything else, and for a site of another version. */
export function parseSite(text: string, source: string): Site {
  return parseJson(text, source, SiteSchema);
}

/** Files of a model by name, as `site.json` tells of them. */
export async function fileEntries(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
): Promise<SiteModel["files"]> {
  const entries: SiteModel["files"] = {};
  for (const [name, bytes] of files) entries[name] = { bytes: bytes.length, sha256: await sha256Of(bytes) };
  return entries;
}

const ItemsSchema = z.strictObject({
  titles: z.array(z.string()).min(1),
  ids: z.array(z.string()).optional(),
  popular: z.array(z.int().min(0)),
});

/** `items.json`: titles and ids by item number (N), and all numbers from the most to the least bought. */
export type SiteItems = z.output<typeof ItemsSchema>;

/** Reads `items.json`. Throws `UserError` where it is damaged. */
export function parseSiteItems(text: string, source: string): SiteItems {
  return parseJson(text, source, ItemsSchema);
}

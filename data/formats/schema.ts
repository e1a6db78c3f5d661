import { z } from "zod";

const text = z.union([z.string(), z.array(z.string())], { error: "text or a list of texts" });

/** One entry of `item.json`; fields beyond these are kept as they are. */
export const RawItem = z.looseObject({
  title: z.string(),
  description: text.optional(),
  brand: z.string().optional(),
  categories: text.optional(),
  features: text.optional(),
  price: z.union([z.number(), z.string()]).optional(),
});
export type RawItem = z.infer<typeof RawItem>;

/** `item.json`: item number as text -> item. */
export const RawItems = z.record(z.string(), RawItem);

/** One token of a SID: level letter and codeword below a million, since models have a row for each that might occur. */
export const SID_TOKEN = /^<([a-z])_(0|[1-9]\d{0,5})>$/;

/** `index.json`: item number as text -> tokens of its SID, first level first. */
export const RawIndex = z.record(
  z.string(),
  z.array(z.string().regex(SID_TOKEN, { error: "a token such as <a_12>, its codeword below 1,000,000" }))
    .min(1, { error: "at least one token" }),
);

/** `inter.json`: user -> item numbers, oldest first. */
export const RawInteractions = z.record(
  z.string(),
  z.array(z.number().refine((n) => Number.isSafeInteger(n) && n >= 0, { error: "an item number" })),
);

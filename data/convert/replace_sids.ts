import type { CorpusSample } from "../corpus.ts";
import type { CorpusParts } from "../corpus_parts.ts";
import type { Split } from "../dataset.ts";
import { type RowPlace, type SampleRows, STAGES } from "../formats/mimigenrec/rows.ts";

/** A corpus under other SIDs. Rows kept as text name the old ones, so they are dropped; `dropped` says which. */
export function replaceSids(
  corpus: CorpusParts,
  sids: string[][],
): { corpus: CorpusParts; dropped: string[] } {
  const isStale = (path: string) => path.startsWith("mimigenrec/other/");
  const dropped = Object.keys(corpus.attachments).filter(isStale);
  const attachments = Object.fromEntries(
    Object.entries(corpus.attachments).filter(([path]) => !isStale(path)),
  );
  async function* samples(split: Split) {
    for await (const part of corpus.samples(split)) yield part.map(withoutVerbatim);
  }
  return { corpus: { ...corpus, attachments, samples, sids }, dropped };
}

function withoutVerbatim(sample: CorpusSample): CorpusSample {
  const rows = sample.attributes?.mimigenrec as SampleRows | undefined;
  if (rows === undefined || !STAGES.some((stage) => rows[stage]?.verbatim)) return sample;
  const kept: SampleRows = { ...rows };
  for (const stage of STAGES) {
    const place: RowPlace | null | undefined = kept[stage];
    if (!place?.verbatim) continue;
    const { verbatim: _, ...rest } = place;
    kept[stage] = rest;
  }
  return { ...sample, attributes: { ...sample.attributes, mimigenrec: kept } };
}

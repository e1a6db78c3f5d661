import { PhiloxStream } from "../../base/philox.ts";
import { completionSequence, type PackInput } from "../../data/packing/sequences.ts";
import lengths from "./sft_rows.json" with { type: "json" };

/**
 * Rows as long as those of the alignment tasks on MiniOneRec's Industrial split with Qwen2.5's tokenizer, in training
 * order; their ids are random. As many as asked for, or as fit in so many tokens.
 */
export function sftRows(vocabulary: number, { rows = Infinity, tokens = Infinity }): PackInput[] {
  const stream = new PhiloxStream(7, "sft rows");
  const made: PackInput[] = [];
  let left = tokens;
  for (let i = 0; made.length < rows; i++) {
    const [length, targets] = lengths[i % lengths.length];
    if (length > left) break;
    left -= length;
    const draw = (count: number) => Uint32Array.from({ length: count }, () => stream.below(vocabulary));
    made.push(completionSequence(draw(length + 1 - targets), draw(targets)));
  }
  return made;
}

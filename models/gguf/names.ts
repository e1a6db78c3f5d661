/** Architectures of GGUF files that are read, and the model types of Hugging Face that they are. */
export const ARCHITECTURES = { llama: "llama", qwen2: "qwen2", qwen3: "qwen3" } as const;
export type GgufArchitecture = keyof typeof ARCHITECTURES;

const OUTSIDE = [
  ["token_embd.weight", "model.embed_tokens.weight"],
  ["output.weight", "lm_head.weight"],
  ["output_norm.weight", "model.norm.weight"],
] as const;
const INSIDE = [
  ["attn_q", "self_attn.q_proj"],
  ["attn_k", "self_attn.k_proj"],
  ["attn_v", "self_attn.v_proj"],
  ["attn_output", "self_attn.o_proj"],
  ["attn_q_norm", "self_attn.q_norm"],
  ["attn_k_norm", "self_attn.k_norm"],
  ["attn_norm", "input_layernorm"],
  ["ffn_norm", "post_attention_layernorm"],
  ["ffn_gate", "mlp.gate_proj"],
  ["ffn_up", "mlp.up_proj"],
  ["ffn_down", "mlp.down_proj"],
] as const;

/** Name in Hugging Face's checkpoints of a tensor of a GGUF file; its own where there is none. */
export function huggingFaceName(name: string): string {
  const outside = OUTSIDE.find(([own]) => own === name);
  if (outside) return outside[1];
  const [, layer, module, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const inside = INSIDE.find(([own]) => own === module);
  return inside ? `model.layers.${layer}.${inside[1]}.${kind}` : name;
}

/** The reverse of {@link huggingFaceName}; undefined for a tensor that GGUF files do not have. */
export function ggufName(name: string): string | undefined {
  const outside = OUTSIDE.find(([, theirs]) => theirs === name);
  if (outside) return outside[0];
  const [, layer, module, kind] = /^model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)$/.exec(name) ?? [];
  const inside = INSIDE.find(([, theirs]) => theirs === module);
  return inside && `blk.${layer}.${inside[0]}.${kind}`;
}

/**
 * Row of a GGUF tensor for each row that Hugging Face has; undefined where they lie in the same order. llama.cpp turns
 * neighbouring pairs of columns where Hugging Face turns halves, so files of `llama` have queries and keys in another order.
 */
export function rowOrder(
  name: string,
  architecture: GgufArchitecture,
  heads: { queries: number; keys: number },
  rows: number,
): Uint32Array | undefined {
  const [, which] = /\.attn_(q|k)\.(?:weight|bias)$/.exec(name) ?? [];
  if (architecture !== "llama" || which === undefined) return undefined;
  const count = which === "q" ? heads.queries : heads.keys;
  const half = rows / count / 2;
  return Uint32Array.from({ length: rows }, (_, row) => {
    const head = Math.floor(row / (2 * half)), within = row % (2 * half);
    return head * 2 * half + 2 * (within % half) + Math.floor(within / half);
  });
}

// Follows philox.wgsl. Dropout of attention weights: 128 random bits decide about two queries, two keys and two heads.
override DROPOUT: u32 = 0; // 1: `seed` and the parameters of dropout are there

fn drop_bits(query: u32, key: u32, head: u32) -> vec4u {
  if (DROPOUT == 0) { return vec4u(0); }
  // The last word of what other dropouts count with is 0.
  let pair = key / 2 * ((params.heads + 1) / 2) + head / 2;
  return philox(vec4u(query / 2, params.stream, seed.z, 1 + pair), seed.xy);
}

// 0, or 1 / (1 - rate).
fn kept(bits: vec4u, query: u32, key: u32, head: u32) -> f32 {
  if (DROPOUT == 0) { return 1; }
  let draw = (bits[query % 2 * 2 + key % 2] >> (head % 2 * 16)) & 0xffff;
  return select(0.0, params.keep_scale, draw >= params.threshold);
}

// Follows philox.wgsl. 128 random bits serve two groups of four: 16 bits decide about an element.
struct Params {
  rows: u32,
  groups: u32,
  pairs: u32,     // ceil(groups / 2)
  stream: u32,
  threshold: u32, // 65536 * rate: smaller draws are dropped
  scale: f32,     // 65536 / (65536 - threshold)
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> seed: vec4u; // key low, key high, step, unused

fn keep(draws: vec4u, value: vec4f) -> vec4f {
  return select(vec4f(0), value * params.scale, draws >= vec4u(params.threshold));
}

// x (N, C) = in0 -> out0. Random numbers belong to elements, so the same call on dy is the backward.
@compute @workgroup_size(16, 8) fn dropout(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.pairs || row >= params.rows) { return; }
  let bits = philox(vec4u(row * params.pairs + id.x, params.stream, seed.z, 0), seed.xy);
  let group = id.x * 2;
  store0(row, group, keep(bits & vec4u(0xffff), load0(row, group)));
  if (group + 1 < params.groups) { store0(row, group + 1, keep(bits >> vec4u(16), load0(row, group + 1))); }
}

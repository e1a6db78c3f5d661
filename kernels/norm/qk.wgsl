// QK-norm of Qwen3: RMSNorm of every query head and key head by itself; values pass through. One invocation a (row, head).
struct Params { rows: u32, heads: u32, kv_heads: u32, groups: u32, width: f32, eps: f32 } // groups of four in a head
@group(0) @binding(20) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

fn reciprocal_rms(row: u32, first: u32) -> f32 {
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { let x = load0(row, first + g); squares += x * x; }
  return inverseSqrt(sum4(squares) / params.width + params.eps);
}

// x (T, q | k | v) = in0, gains (2, headDim) of queries and keys = in1 -> y = out0
@compute @workgroup_size(64) fn qk_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let first = id.y * params.groups;
  let is_value = id.y >= params.heads + params.kv_heads;
  let gain = select(0u, 1u, id.y >= params.heads);
  let scale = reciprocal_rms(row, first);
  for (var g = 0u; g < params.groups; g++) {
    let x = load0(row, first + g);
    if (is_value) { store0(row, first + g, x); } else { store0(row, first + g, x * scale * load1(gain, g)); }
  }
}

// x = in0, gains = in1, dy = in2 -> dx = out0, dy * x / rms (T, q | k | 0) = out1
@compute @workgroup_size(64) fn qk_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let first = id.y * params.groups;
  let gain = select(0u, 1u, id.y >= params.heads);
  if (id.y >= params.heads + params.kv_heads) {
    for (var g = 0u; g < params.groups; g++) {
      store0(row, first + g, load2(row, first + g));
      store1(row, first + g, vec4f(0));
    }
    return;
  }
  let scale = reciprocal_rms(row, first);
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { dots += load0(row, first + g) * load2(row, first + g) * load1(gain, g); }
  let pull = sum4(dots) * scale * scale * scale / params.width;
  for (var g = 0u; g < params.groups; g++) {
    let x = load0(row, first + g);
    let dy = load2(row, first + g);
    store0(row, first + g, scale * dy * load1(gain, g) - pull * x);
    store1(row, first + g, dy * x * scale);
  }
}

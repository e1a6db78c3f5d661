// LayerNorm: y = (x - mean) / sqrt(variance + eps) * gain + bias, over each row. One invocation a row.
struct Params { rows: u32, groups: u32, width: f32, eps: f32 }
@group(0) @binding(20) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// x - mean, but 0 in the padding lanes of the last group.
fn centred(row: u32, g: u32, mean: f32) -> vec4f {
  let inside = vec4f(f32(4 * g)) + vec4f(0, 1, 2, 3) < vec4f(params.width);
  return select(vec4f(0), load0(row, g) - mean, inside);
}

// (mean, 1 / standard deviation). The variance is summed in a second pass: E x^2 - (E x)^2 loses all digits far from 0.
fn moments(row: u32) -> vec2f {
  var total = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { total += load0(row, g); }
  let mean = sum4(total) / params.width;
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { let x = centred(row, g, mean); squares += x * x; }
  return vec2f(mean, inverseSqrt(sum4(squares) / params.width + params.eps));
}

// x (N, C) = in0, gain (1, C) = in1, bias (1, C) = in2 -> y (N, C) = out0
@compute @workgroup_size(64) fn layer_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let m = moments(row);
  for (var g = 0u; g < params.groups; g++) {
    store0(row, g, centred(row, g, m.x) * m.y * load1(0, g) + load2(0, g));
  }
}

// x (N, C) = in0, gain (1, C) = in1, dy (N, C) = in2 -> dx (N, C) = out0, gain terms (N, C) = out1
@compute @workgroup_size(64) fn layer_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let m = moments(row);
  var pulls = vec4f(0);
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let pull = load2(row, g) * load1(0, g);
    pulls += pull;
    dots += pull * centred(row, g, m.x);
  }
  let mean_pull = sum4(pulls) / params.width;
  let tilt = sum4(dots) * m.y * m.y / params.width;
  for (var g = 0u; g < params.groups; g++) {
    let x = centred(row, g, m.x);
    let dy = load2(row, g);
    let inside = vec4f(f32(4 * g)) + vec4f(0, 1, 2, 3) < vec4f(params.width);
    store0(row, g, select(vec4f(0), m.y * (dy * load1(0, g) - mean_pull - x * tilt), inside));
    store1(row, g, dy * x * m.y);
  }
}

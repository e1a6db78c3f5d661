// What the backward of relative_attention.wgsl needs beside its walks over keys.
struct Params {
  rows: u32, heads: u32,
  groups: u32, // of a head, or of the terms
  stride: u32, // elements of a row of the bias gradient
  buckets: u32,
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read_write> gradient: array<f32>;

// dO = in0, o = in1, log-sum-exp a head = in2 -> (log-sum-exp, dO . o, 0, 0) a head = out0
@compute @workgroup_size(64) fn attention_stats(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  var delta = 0.0;
  for (var g = head * params.groups; g < (head + 1) * params.groups; g++) { delta += dot(load0(row, g), load1(row, g)); }
  store0(row, head, vec4f(load2(row, head).x, delta, 0, 0));
}

// Gradient of the scores by head and bucket, sums of chunks of rows (rows, heads * buckets) = in0
// -> added to the gradient of the table (buckets, heads)
@compute @workgroup_size(16) fn bias_total(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  if (group >= params.groups) { return; }
  var sum = vec4f(0);
  for (var row = 0u; row < params.rows; row++) { sum += load0(row, group); }
  for (var lane = 0u; lane < 4; lane++) {
    let column = 4 * group + lane;
    gradient[column % params.buckets * params.stride + column / params.buckets] += sum[lane];
  }
}

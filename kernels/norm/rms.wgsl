// RMSNorm: y = x * gain / sqrt(mean(x^2) + eps). One invocation a row, two passes over it.
struct Params { rows: u32, groups: u32, width: f32, eps: f32 }
@group(0) @binding(20) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

fn reciprocal_rms(row: u32) -> f32 {
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { let x = load0(row, g); squares += x * x; }
  return inverseSqrt(sum4(squares) / params.width + params.eps);
}

// x (N, C) = in0, gain (1, C) = in1 -> y (N, C) = out0
@compute @workgroup_size(64) fn rms_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let scale = reciprocal_rms(row);
  for (var g = 0u; g < params.groups; g++) { store0(row, g, load0(row, g) * scale * load1(0, g)); }
}

@group(0) @binding(10) var<storage, read_write> scales: array<f32>; // 1 / rms a row

// x = in0, gain = in1, dy (N, C) = in2 -> dx (N, C) = out0, scales
@compute @workgroup_size(64) fn rms_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let scale = reciprocal_rms(row);
  scales[row] = scale;
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { dots += load0(row, g) * load2(row, g) * load1(0, g); }
  let pull = sum4(dots) * scale * scale * scale / params.width;
  for (var g = 0u; g < params.groups; g++) {
    store0(row, g, scale * load2(row, g) * load1(0, g) - pull * load0(row, g));
  }
}

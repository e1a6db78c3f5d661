// Residual addition and the RMSNorm that follows it, in one pass over memory: one invocation a row.
struct Params { rows: u32, groups: u32, has_sum_gradient: u32, width: f32, eps: f32 }
@group(0) @binding(20) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// x (N, C) = in0, y (N, C) = in1, gain (1, C) = in2 -> x + y = out0, rmsnorm(x + y) * gain = out1
@compute @workgroup_size(64) fn add_rms_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g) + load1(row, g);
    squares += sum * sum;
    store0(row, g, sum);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  for (var g = 0u; g < params.groups; g++) {
    store1(row, g, (load0(row, g) + load1(row, g)) * scale * load2(0, g));
  }
}

// sum (N, C) = in0, gain (1, C) = in1, dNormed (N, C) = in2, dSum (N, C) = in3 if has_sum_gradient
// -> dx (N, C) = out0, gain terms (N, C) = out1
@compute @workgroup_size(64) fn add_rms_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g);
    squares += sum * sum;
    dots += sum * load2(row, g) * load1(0, g);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  let pull = sum4(dots) * scale * scale * scale / params.width;
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g);
    let dy = load2(row, g);
    var dx = scale * dy * load1(0, g) - pull * sum;
    if (params.has_sum_gradient != 0) { dx += load3(row, g); }
    store0(row, g, dx);
    store1(row, g, dy * sum * scale);
  }
}

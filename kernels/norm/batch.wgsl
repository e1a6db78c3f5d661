// Batch normalisation: y = (x - mean) / sqrt(variance + eps) * gain + bias, each column by its own moments.
struct MomentParams { rows: u32, groups: u32, update: u32, momentum: f32 }
struct Params { rows: u32, groups: u32, eps: f32 }
@group(0) @binding(20) var<uniform> moment: MomentParams;
@group(0) @binding(20) var<uniform> params: Params;

const WORKGROUP = 8u;

@group(0) @binding(10) var<storage, read_write> running_mean: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> running_variance: array<vec4f>;

// x (N, C) = in0 -> mean and variance over the rows (2, C) = out0; with `update` the running ones (C) move towards them.
// The variance is summed in a second pass: E x^2 - (E x)^2 loses all digits far from 0.
@compute @workgroup_size(WORKGROUP) fn batch_moments(@builtin(global_invocation_id) id: vec3u) {
  let g = id.x;
  if (g >= moment.groups) { return; }
  let count = f32(moment.rows);
  var sum = vec4f(0);
  for (var row = 0u; row < moment.rows; row++) { sum += load0(row, g); }
  let mean = sum / count;
  var squares = vec4f(0);
  for (var row = 0u; row < moment.rows; row++) { let x = load0(row, g) - mean; squares += x * x; }
  store0(0, g, mean);
  store0(1, g, squares / count);
  if (moment.update == 0) { return; }
  running_mean[g] += moment.momentum * (mean - running_mean[g]);
  running_variance[g] += moment.momentum * (squares / max(count - 1, 1) - running_variance[g]);
}

// running mean (1, C) = in0, variance (1, C) = in1 -> (2, C) = out0
@compute @workgroup_size(WORKGROUP) fn running_moments(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups) { return; }
  store0(0, id.x, load0(0, id.x));
  store0(1, id.x, load1(0, id.x));
}

// x (N, C) = in0, moments (2, C) = in1, gain (1, C) = in2, bias (1, C) = in3 -> y (N, C) = out0
@compute @workgroup_size(16, 8) fn batch_norm(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let g = id.x;
  let normed = (load0(id.y, g) - load1(0, g)) * inverseSqrt(load1(1, g) + params.eps);
  store0(id.y, g, normed * load2(0, g) + load3(0, g));
}

@group(0) @binding(10) var<storage, read_write> gain_gradient: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> bias_gradient: array<vec4f>;

// x (N, C) = in0, moments (2, C) = in1, dy (N, C) = in2 -> sums of dy and of dy * normed x (2, C) = out0, added to the
// gradients of bias and gain (C)
@compute @workgroup_size(WORKGROUP) fn batch_norm_sums(@builtin(global_invocation_id) id: vec3u) {
  let g = id.x;
  if (g >= params.groups) { return; }
  let mean = load1(0, g);
  let scale = inverseSqrt(load1(1, g) + params.eps);
  var pulls = vec4f(0);
  var tilts = vec4f(0);
  for (var row = 0u; row < params.rows; row++) {
    let dy = load2(row, g);
    pulls += dy;
    tilts += dy * (load0(row, g) - mean) * scale;
  }
  store0(0, g, pulls);
  store0(1, g, tilts);
  bias_gradient[g] += pulls;
  gain_gradient[g] += tilts;
}

// x (N, C) = in0, moments (2, C) = in1, dy (N, C) = in2, gain (1, C) = in3, sums (2, C) = in4 -> dx (N, C) = out0
@compute @workgroup_size(16, 8) fn batch_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let g = id.x;
  let scale = inverseSqrt(load1(1, g) + params.eps);
  let normed = (load0(id.y, g) - load1(0, g)) * scale;
  let count = f32(params.rows);
  store0(id.y, g, load3(0, g) * scale * (load2(id.y, g) - load4(0, g) / count - normed * load4(1, g) / count));
}

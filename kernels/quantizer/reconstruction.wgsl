// Distance between a prediction and its target: squares or absolute differences, weighted by row.
struct Params { rows: u32, groups: u32, absolute: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> weights: array<f32>;
@group(0) @binding(11) var<storage, read_write> row_loss: array<f32>;

// prediction (N, D) = in0, target (N, D) = in1, weights (N) -> row_loss (N): weight * sum of differences
@compute @workgroup_size(64) fn reconstruction_loss(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, 64);
  if (row >= params.rows) { return; }
  var sum = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let difference = load0(row, g) - load1(row, g);
    if (params.absolute != 0) { sum += abs(difference); } else { sum += difference * difference; }
  }
  row_loss[row] = weights[row] * (sum.x + sum.y + sum.z + sum.w);
}

// prediction (N, D) = in0, target (N, D) = in1, weights (N) -> gradient of the prediction (N, D) = out0
@compute @workgroup_size(16, 8) fn reconstruction_loss_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let difference = load0(id.y, id.x) - load1(id.y, id.x);
  store0(id.y, id.x, weights[id.y] * select(2 * difference, sign(difference), params.absolute != 0));
}

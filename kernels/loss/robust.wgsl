// ln of the sum over the vocabulary of exp(scale * (score - target)^2), the target 1 for the item that is right and 0
// for all others. Scores come in chunks of columns; cross_entropy.wgsl folds the exponents into the statistics of a
// row: x largest exponent, y sum of exp(exponent - largest).
const WORKGROUP = 32u;

struct ExponentParams { rows: u32, cols: u32, start: u32 }
struct RowParams { rows: u32, coefficient: f32 }
struct BackwardParams { rows: u32, cols: u32, start: u32, coefficient: f32 }
@group(0) @binding(20) var<uniform> chunk: ExponentParams;
@group(0) @binding(20) var<uniform> loss: RowParams;
@group(0) @binding(20) var<uniform> grad: BackwardParams;

@group(0) @binding(10) var<storage, read> targets: array<u32>;
@group(0) @binding(11) var<storage, read> scales: array<f32>;

fn columns_of(group: u32) -> vec4u { return group * 4 + vec4u(0, 1, 2, 3); }
// What lies past the last item ends in padding lanes, which are set to 0.
fn scales_of(items: vec4u) -> vec4f {
  return vec4f(scales[items.x], scales[items.y], scales[items.z], scales[items.w]);
}
fn errors_of(scores: vec4f, items: vec4u, row: u32) -> vec4f {
  return scores - select(vec4f(0), vec4f(1), items == vec4u(targets[row]));
}

// scores (R, Vc) = in0, targets (R), scales (V) -> exponents (R, Vc) = out0
@compute @workgroup_size(16, 8) fn robust_exponents(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4 >= chunk.cols || id.y >= chunk.rows) { return; }
  let columns = columns_of(id.x);
  let items = columns + chunk.start;
  let errors = errors_of(load0(id.y, id.x), items, id.y);
  store0(id.y, id.x, select(vec4f(0), scales_of(items) * errors * errors, columns < vec4u(chunk.cols)));
}

@group(0) @binding(10) var<storage, read> final_stats: array<vec4f>;
@group(0) @binding(11) var<storage, read> row_weights: array<f32>;
@group(0) @binding(12) var<storage, read_write> row_loss: array<f32>;

// stats (R), weights (R) -> added to row_loss (R)
@compute @workgroup_size(WORKGROUP) fn robust_loss_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= loss.rows) { return; }
  let weight = row_weights[row];
  // A row of weight 0 is not a target: whatever its scores hold must not count.
  if (weight == 0) { return; }
  let s = final_stats[row];
  row_loss[row] += loss.coefficient * weight * (s.x + log(s.y));
}

@group(0) @binding(12) var<storage, read> weights: array<f32>;
@group(0) @binding(13) var<storage, read> all_stats: array<vec4f>;

// scores (R, Vc) = in0, targets (R), scales (V), weights (R), all_stats (R) -> their gradient (R, Vc) = out0
@compute @workgroup_size(16, 8) fn robust_loss_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4 >= grad.cols || id.y >= grad.rows) { return; }
  let weight = grad.coefficient * weights[id.y];
  var value = vec4f(0);
  if (weight != 0) {
    let s = all_stats[id.y];
    let columns = columns_of(id.x);
    let items = columns + grad.start;
    let scale = scales_of(items);
    let errors = errors_of(load0(id.y, id.x), items, id.y);
    let p = exp(scale * errors * errors - s.x) / s.y;
    value = select(vec4f(0), weight * p * 2 * scale * errors, columns < vec4u(grad.cols));
  }
  store0(id.y, id.x, value);
}

// Rows whose codes are all equal, and a loss that drives their latents apart.
struct PathParams { rows: u32 }
struct Params { rows: u32, groups: u32, margin: f32, weight: f32 }
@group(0) @binding(20) var<uniform> path: PathParams;
@group(0) @binding(20) var<uniform> params: Params;

const WORKGROUP = 8u;

@group(0) @binding(10) var<storage, read> prefixes: array<u32>;
@group(0) @binding(11) var<storage, read> labels: array<u32>;
@group(0) @binding(12) var<storage, read_write> extended: array<u32>;

// prefixes (N), labels (N) -> first row (N) that has both in common with a row
@compute @workgroup_size(WORKGROUP) fn extend_paths(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= path.rows) { return; }
  var first = 0u;
  while (first < row && (prefixes[first] != prefixes[row] || labels[first] != labels[row])) { first++; }
  extended[row] = first;
}

@group(0) @binding(10) var<storage, read> paths: array<u32>;
@group(0) @binding(11) var<storage, read> spread: array<f32>; // sum over rows of the squared quantisation error
@group(0) @binding(12) var<storage, read> weights: array<f32>;
@group(0) @binding(13) var<storage, read_write> row_loss: array<f32>;

fn scale() -> f32 { return params.margin * max(spread[0], 1e-30) / f32(params.rows); }

fn squared_distance(a: u32, b: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < params.groups; g++) { let e = load0(a, g) - load0(b, g); sum += dot(e, e); }
  return sum;
}

// latents (N, D) = in0, paths (N), weights (N) -> row_loss (N): its share of the loss of every pair that the row is in
@compute @workgroup_size(WORKGROUP) fn uniqueness_loss(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows) { return; }
  let far = scale();
  var sum = 0.0;
  for (var other = 0u; other < params.rows; other++) {
    if (other == row || paths[other] != paths[row]) { continue; }
    sum += max(0, 1 - squared_distance(row, other) / far);
  }
  row_loss[row] = 0.5 * weights[row] * params.weight * sum;
}

// latents (N, D) = in0, paths (N), weights (N) -> gradient (N, D) = out0
@compute @workgroup_size(16, 8) fn uniqueness_loss_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let far = scale();
  var sum = vec4f(0);
  for (var other = 0u; other < params.rows; other++) {
    if (other == id.y || paths[other] != paths[id.y]) { continue; }
    if (squared_distance(id.y, other) >= far) { continue; }
    sum += (weights[id.y] + weights[other]) * (load0(other, id.x) - load0(id.y, id.x));
  }
  store0(id.y, id.x, params.weight / far * sum);
}

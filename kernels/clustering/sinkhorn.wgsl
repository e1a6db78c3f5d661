// Entropic optimal transport between rows and codewords of equal mass each, in the logarithm: the mass of a row on a
// codeword is exp(u + v - cost), and exp(cost) alone would leave single precision.
struct Params { rows: u32, cols: u32, groups: u32, epsilon: f32 }
@group(0) @binding(20) var<uniform> params: Params;

const WORKGROUP = 8u;
const LANES = 64u;
const FAR = 3.4e38;

@group(0) @binding(10) var<storage, read_write> extremes: array<f32>; // least and largest distance
@group(0) @binding(11) var<storage, read_write> row_potentials: array<f32>;
@group(0) @binding(12) var<storage, read_write> col_potentials: array<f32>;
@group(0) @binding(13) var<storage, read_write> labels: array<u32>;
@group(0) @binding(14) var<storage, read_write> distances: array<f32>;

fn inside(group: u32) -> vec4<bool> { return group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols); }
fn squared(row: u32, codeword: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < params.groups; g++) { let e = load0(row, g) - load1(codeword, g); sum += dot(e, e); }
  return sum;
}

// points (N, D) = in0, codebook (K, D) = in1 -> squared distances (N, K) = out0; the potentials of the codewords become 0
@compute @workgroup_size(WORKGROUP, 8) fn sinkhorn_distances(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let row = id.y;
  if (group >= (params.cols + 3) / 4 || row >= params.rows) { return; }
  let k = group * 4;
  let d = vec4f(squared(row, k), squared(row, k + 1), squared(row, k + 2), squared(row, k + 3));
  store0(row, group, select(vec4f(0), d, inside(group)));
  if (row > 0) { return; }
  for (var i = k; i < min(k + 4, params.cols); i++) { col_potentials[i] = 0; }
}

var<workgroup> least: array<f32, LANES>;
var<workgroup> most: array<f32, LANES>;

// distances (N, K) = in0 -> extremes
@compute @workgroup_size(LANES) fn sinkhorn_extremes(@builtin(local_invocation_index) lane: u32) {
  var low = vec4f(FAR);
  var high = vec4f(-FAR);
  for (var row = lane; row < params.rows; row += LANES) {
    for (var g = 0u; g < (params.cols + 3) / 4; g++) {
      let d = load0(row, g);
      low = min(low, select(vec4f(FAR), d, inside(g)));
      high = max(high, select(vec4f(-FAR), d, inside(g)));
    }
  }
  least[lane] = min(min(low.x, low.y), min(low.z, low.w));
  most[lane] = max(max(high.x, high.y), max(high.z, high.w));
  workgroupBarrier();
  if (lane != 0) { return; }
  for (var i = 1u; i < LANES; i++) { least[0] = min(least[0], least[i]); most[0] = max(most[0], most[i]); }
  extremes[0] = least[0];
  extremes[1] = most[0];
}

// Distances are centred and scaled to [-1, 1] together.
fn cost(row: u32, group: u32) -> vec4f {
  let middle = (extremes[0] + extremes[1]) / 2;
  return (load0(row, group) - middle) / (extremes[1] - middle + 1e-5) / params.epsilon;
}
fn potentials(group: u32) -> vec4f {
  let k = group * 4;
  let last = params.cols - 1;
  return vec4f(
    col_potentials[min(k, last)], col_potentials[min(k + 1, last)],
    col_potentials[min(k + 2, last)], col_potentials[min(k + 3, last)],
  );
}
fn surplus(row: u32, group: u32) -> vec4f {
  return select(vec4f(-FAR), potentials(group) - cost(row, group), inside(group));
}

// distances (N, K) = in0 -> row potentials: every row gets mass 1 / N
@compute @workgroup_size(WORKGROUP) fn sinkhorn_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows) { return; }
  let groups = (params.cols + 3) / 4;
  var tops = vec4f(-FAR);
  for (var g = 0u; g < groups; g++) { tops = max(tops, surplus(row, g)); }
  let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
  var sums = vec4f(0);
  for (var g = 0u; g < groups; g++) { sums += select(vec4f(0), exp(surplus(row, g) - top), inside(g)); }
  row_potentials[row] = -top - log(sums.x + sums.y + sums.z + sums.w) - log(f32(params.rows));
}

// distances (N, K) = in0 -> codeword potentials: every codeword gets mass 1 / K
@compute @workgroup_size(WORKGROUP) fn sinkhorn_cols(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let group = linear_index(id, count, WORKGROUP);
  if (group >= (params.cols + 3) / 4) { return; }
  var tops = vec4f(-FAR);
  for (var row = 0u; row < params.rows; row++) { tops = max(tops, row_potentials[row] - cost(row, group)); }
  var sums = vec4f(0);
  for (var row = 0u; row < params.rows; row++) { sums += exp(row_potentials[row] - cost(row, group) - tops); }
  let potential = -tops - log(sums) - log(f32(params.cols));
  for (var i = 0u; i < 4 && group * 4 + i < params.cols; i++) { col_potentials[group * 4 + i] = potential[i]; }
}

// distances (N, K) = in0 -> codeword of most mass of each row, of equal ones the first, and its distance
@compute @workgroup_size(WORKGROUP) fn sinkhorn_labels(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows) { return; }
  var best = -FAR;
  for (var g = 0u; g < (params.cols + 3) / 4; g++) {
    let value = surplus(row, g);
    for (var i = 0u; i < 4; i++) {
      if (value[i] <= best) { continue; }
      best = value[i];
      labels[row] = g * 4 + i;
      distances[row] = load0(row, g)[i];
    }
  }
}

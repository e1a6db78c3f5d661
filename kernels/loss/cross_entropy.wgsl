// Follows cross_entropy_chunk.wgsl. Cross-entropy with label smoothing over a vocabulary that comes in chunks of columns.
const WORKGROUP = 32u;

struct RowParams { rows: u32, vocabulary: f32, smoothing: f32 }
struct BackwardParams { rows: u32, cols: u32, start: u32, vocabulary: f32, smoothing: f32 }
@group(0) @binding(20) var<uniform> loss: RowParams;
@group(0) @binding(20) var<uniform> grad: BackwardParams;

// Finite, so that an empty start merges without inf - inf.
const LOWEST = -3.4e38;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn columns_of(group: u32) -> vec4u { return group * 4 + vec4u(0, 1, 2, 3); }

// logits (R, Vc) = in0, targets (R), stats (R) -> stats (R). Two passes over the row.
@compute @workgroup_size(WORKGROUP) fn cross_entropy_chunk(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= chunk.rows) { return; }
  let whole = chunk.cols / 4; // groups without padding lanes
  let padded = chunk.cols % 4 != 0;
  let tail = columns_of(whole) < vec4u(chunk.cols);

  var largest = vec4f(LOWEST);
  for (var g = 0u; g < whole; g++) { largest = max(largest, load0(row, g)); }
  if (padded) { largest = max(largest, select(vec4f(LOWEST), load0(row, whole), tail)); }
  let top = max4(largest);

  var exps = vec4f(0);
  var sums = vec4f(0);
  for (var g = 0u; g < whole; g++) {
    let z = load0(row, g);
    exps += exp(z - top);
    sums += z;
  }
  if (padded) {
    let z = load0(row, whole);
    exps += select(vec4f(0), exp(z - top), tail);
    sums += z; // padding lanes hold 0
  }

  fold_chunk(row, top, sum4(exps), sum4(sums));
}

// The same with a workgroup a row, for GPUs: neighbours read neighbours, and few rows still make many invocations.
const TEAM = 128u;
var<workgroup> team: array<vec3f, TEAM>; // largest, sum of exp(logit - largest), sum

fn merged(a: vec3f, b: vec3f) -> vec3f {
  let top = max(a.x, b.x);
  return vec3f(top, a.y * exp(a.x - top) + b.y * exp(b.x - top), a.z + b.z);
}

@compute @workgroup_size(TEAM) fn cross_entropy_chunk_team(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = workgroup.y * count.x + workgroup.x;
  if (row >= chunk.rows) { return; }
  var largest = vec4f(LOWEST);
  var exps = vec4f(0);
  var sums = vec4f(0);
  for (var g = me; g < (chunk.cols + 3) / 4; g += TEAM) {
    let inside = columns_of(g) < vec4u(chunk.cols);
    let z = load0(row, g); // padding lanes hold 0
    let top = max(largest, select(vec4f(LOWEST), z, inside));
    exps = exps * exp(largest - top) + select(vec4f(0), exp(z - top), inside);
    largest = top;
    sums += z;
  }
  let top = max4(largest);
  team[me] = vec3f(top, sum4(exps * exp(largest - top)), sum4(sums));
  workgroupBarrier();
  for (var half = TEAM / 2; half > 0; half /= 2) {
    if (me < half) { team[me] = merged(team[me], team[me + half]); }
    workgroupBarrier();
  }
  if (me > 0) { return; }
  fold_chunk(row, team[0].x, team[0].y, team[0].z);
}

@group(0) @binding(10) var<storage, read> final_stats: array<vec4f>;
@group(0) @binding(11) var<storage, read> row_weights: array<f32>;
@group(0) @binding(12) var<storage, read_write> row_loss: array<f32>;

// stats (R), weights (R) -> row_loss (R)
@compute @workgroup_size(WORKGROUP) fn cross_entropy_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= loss.rows) { return; }
  let s = final_stats[row];
  let weight = row_weights[row];
  let sure = log(s.y) + (s.x - s.z);
  let spread = log(s.y) + (s.x - s.w / loss.vocabulary);
  // A row of weight 0 is not a target: whatever its logits hold must not count.
  row_loss[row] = select(weight * ((1 - loss.smoothing) * sure + loss.smoothing * spread), 0.0, weight == 0);
}

@group(0) @binding(11) var<storage, read> weights: array<f32>;
@group(0) @binding(12) var<storage, read> all_stats: array<vec4f>;

// logits (R, Vc) = in0, targets (R), weights (R), all_stats (R) -> their gradient (R, Vc) = out0
@compute @workgroup_size(16, 8) fn cross_entropy_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4 >= grad.cols || id.y >= grad.rows) { return; }
  let weight = weights[id.y];
  var value = vec4f(0);
  if (weight != 0) {
    let s = all_stats[id.y];
    let columns = columns_of(id.x);
    let target_share = select(vec4f(0), vec4f(1 - grad.smoothing), columns + grad.start == vec4u(targets[id.y]));
    let p = exp(load0(id.y, id.x) - s.x) / s.y;
    value = select(vec4f(0), weight * (p - target_share - grad.smoothing / grad.vocabulary), columns < vec4u(grad.cols));
  }
  store0(id.y, id.x, value);
}

// Follows trie/children.wgsl. Log-probabilities of chosen tokens, several a row, and the entropy of what they were chosen
// from: a softmax over all columns of chunked logits, or over the children of the row's trie node. Statistics of a row,
// kept from chunk to chunk, of z = logit / temperature: x largest z, y sum of exp(z - largest), z sum of
// exp(z - largest) * (z - largest).
const WORKGROUP = 32u;

struct Params {
  rows: u32,
  cols: u32,
  start: u32, // token of the first column
  first: u32, // the first chunk: statistics begin anew
  nodes: u32,
  scale: f32, // 1 / temperature
}
@group(0) @binding(20) var<uniform> params: Params;

// Actions offsets[row] to offsets[row + 1] belong to a row. What others hold is neither read nor written.
@group(0) @binding(10) var<storage, read> offsets: array<u32>;
@group(0) @binding(11) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(12) var<storage, read> tokens: array<u32>;
@group(0) @binding(13) var<storage, read_write> log_probs: array<f32>;

@group(0) @binding(14) var<storage, read> trie: array<u32>;
@group(0) @binding(15) var<storage, read> nodes_of_rows: array<u32>;

// Finite, so that an empty start merges without inf - inf.
const LOWEST = -3.4e38;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn columns_of(group: u32) -> vec4u { return group * 4 + vec4u(0, 1, 2, 3); }
fn z_at(row: u32, column: u32) -> f32 { return params.scale * load0(row, column / 4)[column % 4]; }

// Statistics of two sets of columns -> those of their union
fn merged(a: vec3f, b: vec3f) -> vec3f {
  let top = max(a.x, b.x);
  let shift_a = a.x - top;
  let shift_b = b.x - top;
  let share_a = exp(shift_a);
  let share_b = exp(shift_b);
  return vec3f(
    top,
    a.y * share_a + b.y * share_b,
    (a.z + a.y * shift_a) * share_a + (b.z + b.y * shift_b) * share_b,
  );
}

fn fold(row: u32, found: vec3f) {
  var old = vec3f(LOWEST, 0, 0);
  if (params.first == 0) { old = stats[row].xyz; }
  stats[row] = vec4f(merged(old, found), 0);
}

// Actions begin, begin + step... of a row whose token is in this chunk -> z of the token
fn keep_chosen(row: u32, begin: u32, step: u32) {
  for (var a = offsets[row] + begin; a < offsets[row + 1]; a += step) {
    let column = tokens[a] - params.start; // wraps to a large number left of the chunk
    if (column < params.cols) {
      log_probs[a] = z_at(row, column);
    } else if (params.first != 0) {
      log_probs[a] = LOWEST;
    }
  }
}

// logits (R, Vc) = in0, actions -> stats (R), z of chosen tokens. Two passes over the row.
@compute @workgroup_size(WORKGROUP) fn action_log_probs_chunk(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows || offsets[row] == offsets[row + 1]) { return; }
  let whole = params.cols / 4; // groups without padding lanes
  let padded = params.cols % 4 != 0;
  let tail = columns_of(whole) < vec4u(params.cols);

  var largest = vec4f(LOWEST);
  for (var g = 0u; g < whole; g++) { largest = max(largest, params.scale * load0(row, g)); }
  if (padded) { largest = max(largest, select(vec4f(LOWEST), params.scale * load0(row, whole), tail)); }
  let top = max4(largest);

  var exps = vec4f(0);
  var products = vec4f(0);
  for (var g = 0u; g < whole; g++) {
    let below = params.scale * load0(row, g) - top;
    let e = exp(below);
    exps += e;
    products += e * below;
  }
  if (padded) {
    let below = params.scale * load0(row, whole) - top;
    let e = select(vec4f(0), exp(below), tail);
    exps += e;
    products += e * below;
  }
  fold(row, vec3f(top, sum4(exps), sum4(products)));
  keep_chosen(row, 0, 1);
}

// The same with a workgroup a row, for GPUs: neighbours read neighbours, and few rows still make many invocations.
const TEAM = 128u;
var<workgroup> team: array<vec3f, TEAM>;

@compute @workgroup_size(TEAM) fn action_log_probs_chunk_team(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = workgroup.y * count.x + workgroup.x;
  if (row >= params.rows || offsets[row] == offsets[row + 1]) { return; }
  var largest = vec4f(LOWEST);
  var exps = vec4f(0);
  var products = vec4f(0);
  for (var g = me; g < (params.cols + 3) / 4; g += TEAM) {
    let inside = columns_of(g) < vec4u(params.cols);
    let z = params.scale * load0(row, g);
    let top = max(largest, select(vec4f(LOWEST), z, inside));
    let shift = largest - top;
    let e = select(vec4f(0), exp(z - top), inside);
    products = (products + exps * shift) * exp(shift) + e * (z - top);
    exps = exps * exp(shift) + e;
    largest = top;
  }
  let top = max4(largest);
  let shift = largest - top;
  team[me] = vec3f(top, sum4(exps * exp(shift)), sum4((products + exps * shift) * exp(shift)));
  workgroupBarrier();
  for (var half = TEAM / 2; half > 0; half /= 2) {
    if (me < half) { team[me] = merged(team[me], team[me + half]); }
    workgroupBarrier();
  }
  keep_chosen(row, me, TEAM);
  if (me == 0) { fold(row, team[0]); }
}

// logits (R, Vc) = in0, actions, nodes (R) -> stats (R) of children, z of chosen children
@compute @workgroup_size(WORKGROUP) fn action_log_probs_chunk_children(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows || offsets[row] == offsets[row + 1]) { return; }
  let children = children_of(row, params.nodes);
  let low = lower_bound(children, params.start);
  let high = lower_bound(children, params.start + params.cols);

  var top = LOWEST;
  for (var at = low; at < high; at++) { top = max(top, z_at(row, trie[at] - params.start)); }
  var exps = 0.0;
  var products = 0.0;
  for (var at = low; at < high; at++) {
    let below = z_at(row, trie[at] - params.start) - top;
    let e = exp(below);
    exps += e;
    products += e * below;
  }
  fold(row, vec3f(top, exps, products));
  keep_chosen(row, 0, 1);
}

@group(0) @binding(12) var<storage, read_write> entropy: array<f32>;

// stats (R), z of chosen tokens -> log_probs, entropy (R)
@compute @workgroup_size(WORKGROUP) fn action_log_probs_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows) { return; }
  entropy[row] = 0;
  if (offsets[row] == offsets[row + 1]) { return; }
  let s = stats[row];
  let nothing = s.y == 0; // no child to choose: neither is there a choice
  for (var a = offsets[row]; a < offsets[row + 1]; a++) {
    log_probs[a] = select(log_probs[a] - s.x - log(s.y), 0.0, nothing);
  }
  entropy[row] = select(max(0.0, log(s.y) - s.z / s.y), 0.0, nothing);
}

@group(0) @binding(12) var<storage, read> entropy_coefficients: array<f32>;
@group(0) @binding(13) var<storage, read> coefficients: array<f32>;

// stats (R) -> what the chunks of the backward pass need: x largest z, y log of the sum, z the factor of -p, w that of
// -p log p
@compute @workgroup_size(WORKGROUP) fn action_log_probs_totals(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows || offsets[row] == offsets[row + 1]) { return; }
  let s = stats[row];
  var total = 0.0;
  for (var a = offsets[row]; a < offsets[row + 1]; a++) { total += coefficients[a]; }
  let e = entropy_coefficients[row];
  stats[row] = vec4f(s.x, log(s.y), total + e * (log(s.y) - s.z / s.y), e);
}

// Gradient of one logit, but for what the actions add that chose it
fn pushed(s: vec4f, z: vec4f) -> vec4f {
  let log_p = z - s.x - s.y;
  return -exp(log_p) * (s.z + s.w * log_p);
}

// Sum of the coefficients of those actions of a row that chose each of four columns
fn pulled(row: u32, first: u32) -> vec4f {
  var sum = vec4f(0);
  for (var a = offsets[row]; a < offsets[row + 1]; a++) {
    sum += select(vec4f(0), vec4f(coefficients[a]), first + vec4u(0, 1, 2, 3) == vec4u(tokens[a]));
  }
  return sum;
}

// logits (R, Vc) = in0, totals in stats (R), actions -> their gradient (R, Vc) = out0
@compute @workgroup_size(16, 8) fn action_log_probs_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x * 4 >= params.cols || row >= params.rows) { return; }
  var value = vec4f(0);
  if (offsets[row] != offsets[row + 1]) {
    let all = pulled(row, params.start + id.x * 4) + pushed(stats[row], params.scale * load0(row, id.x));
    value = select(vec4f(0), params.scale * all, columns_of(id.x) < vec4u(params.cols));
  }
  store0(row, id.x, value);
}

// The same over children: 0 in all other columns
@compute @workgroup_size(16, 8) fn action_log_probs_backward_children(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x * 4 >= params.cols || row >= params.rows) { return; }
  var value = vec4f(0);
  if (offsets[row] != offsets[row + 1]) {
    let children = children_of(row, params.nodes);
    let first = params.start + id.x * 4;
    let end = min(first + 4, params.start + params.cols);
    var at = lower_bound(children, first);
    if (at < children.end && trie[at] < end) {
      let all = params.scale * (pulled(row, first) + pushed(stats[row], params.scale * load0(row, id.x)));
      for (; at < children.end && trie[at] < end; at++) { value[trie[at] - first] = all[trie[at] - first]; }
    }
  }
  store0(row, id.x, value);
}

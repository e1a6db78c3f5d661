// Follows children.wgsl. Cross-entropy over the children of trie nodes, logits in chunks of columns as in
// cross_entropy.wgsl. Statistics of a row, kept from chunk to chunk: x largest logit of a child, y sum of
// exp(logit - largest), z logit of the target, w sum of logits.
const WORKGROUP = 32u;

struct SplitParams { rows: u32, nodes: u32, share: f32 }
struct ChunkParams { rows: u32, nodes: u32, cols: u32, start: u32, first: u32 }
struct RowParams { rows: u32, nodes: u32, smoothing: f32 }
struct BackwardParams { rows: u32, nodes: u32, cols: u32, start: u32, smoothing: f32 }
@group(0) @binding(20) var<uniform> split: SplitParams;
@group(0) @binding(20) var<uniform> chunk: ChunkParams;
@group(0) @binding(20) var<uniform> loss: RowParams;
@group(0) @binding(20) var<uniform> grad: BackwardParams;

@group(0) @binding(10) var<storage, read> trie: array<u32>;
@group(0) @binding(11) var<storage, read> nodes_of_rows: array<u32>;

// Finite, so that an empty start merges without inf - inf.
const LOWEST = -3.4e38;

@group(0) @binding(12) var<storage, read> targets: array<u32>;
@group(0) @binding(13) var<storage, read> split_weights: array<f32>;
@group(0) @binding(14) var<storage, read_write> vocabulary_weights: array<f32>;
@group(0) @binding(15) var<storage, read_write> trie_weights: array<f32>;

// weights (R) -> what of them is for the vocabulary, and what for the trie: nothing where the target is no child
@compute @workgroup_size(WORKGROUP) fn trie_loss_weights(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= split.rows) { return; }
  let children = children_of(row, split.nodes);
  let at = lower_bound(children, targets[row]);
  var share = 0.0;
  if (at < children.end) { share = select(0.0, split.share, trie[at] == targets[row]); }
  vocabulary_weights[row] = (1 - share) * split_weights[row];
  trie_weights[row] = share * split_weights[row];
}

@group(0) @binding(13) var<storage, read_write> stats: array<vec4f>;

// logits (R, Vc) = in0 of the tokens from `start` on, nodes (R), targets (R), stats (R) -> stats (R)
@compute @workgroup_size(WORKGROUP) fn trie_cross_entropy_chunk(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= chunk.rows) { return; }
  let children = children_of(row, chunk.nodes);
  let low = lower_bound(children, chunk.start);
  let high = lower_bound(children, chunk.start + chunk.cols);
  let target_token = targets[row];

  var s = vec4f(LOWEST, 0, 0, 0);
  if (chunk.first == 0) { s = stats[row]; }
  let old = s.x;
  for (var at = low; at < high; at++) {
    let column = trie[at] - chunk.start;
    s.x = max(s.x, load0(row, column / 4)[column % 4]);
  }
  s.y *= exp(old - s.x);
  for (var at = low; at < high; at++) {
    let column = trie[at] - chunk.start;
    let z = load0(row, column / 4)[column % 4];
    s.y += exp(z - s.x);
    s.w += z;
    if (trie[at] == target_token) { s.z = z; }
  }
  stats[row] = s;
}

@group(0) @binding(12) var<storage, read> final_stats: array<vec4f>;
@group(0) @binding(13) var<storage, read> row_weights: array<f32>;
@group(0) @binding(14) var<storage, read_write> row_loss: array<f32>;

// nodes (R), stats (R), weights (R) -> added to row_loss (R)
@compute @workgroup_size(WORKGROUP) fn trie_cross_entropy_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= loss.rows || row_weights[row] == 0) { return; }
  let children = children_of(row, loss.nodes);
  let s = final_stats[row];
  let sure = log(s.y) + (s.x - s.z);
  let spread = log(s.y) + (s.x - s.w / f32(children.end - children.first));
  row_loss[row] += row_weights[row] * ((1 - loss.smoothing) * sure + loss.smoothing * spread);
}

// logits (R, Vc) = in0, nodes (R), targets (R), stats (R), weights (R) -> their gradient (R, Vc) = out0
@group(0) @binding(13) var<storage, read> all_stats: array<vec4f>;
@group(0) @binding(14) var<storage, read> weights: array<f32>;
@compute @workgroup_size(16, 8) fn trie_cross_entropy_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x * 4 >= grad.cols || row >= grad.rows) { return; }
  let weight = weights[row];
  var value = vec4f(0);
  if (weight != 0) {
    let children = children_of(row, grad.nodes);
    let s = all_stats[row];
    let z = load0(row, id.x);
    let first = grad.start + id.x * 4;
    let end = min(first + 4, grad.start + grad.cols);
    let even = grad.smoothing / f32(children.end - children.first);
    for (var at = lower_bound(children, first); at < children.end && trie[at] < end; at++) {
      let lane = trie[at] - first;
      let target_share = select(0.0, 1 - grad.smoothing, trie[at] == targets[row]);
      value[lane] = weight * (exp(z[lane] - s.x) / s.y - target_share - even);
    }
  }
  store0(row, id.x, value);
}

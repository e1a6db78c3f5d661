// Log-probabilities of the children of trie nodes. The trie is one array: where the edges of each node start
// (nodes + 1 entries), then the token of every edge, ascending inside a node; edge e leads to node e + 1.
struct Params {
  rows: u32, nodes: u32,
  capacity: u32,        // children that the result has room for
  cols: u32,            // of the logits
  over_vocabulary: u32, // normalised over all tokens, else over the children alone
  compact: u32,         // the logits are those of the children already
  head_first: u32,      // token of the first row of a block of the output matrix
  head_rows: u32,
  has_before: u32,      // the logits of tokens of other blocks are known
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> trie: array<u32>;
// A node outside the trie has no children.
@group(0) @binding(11) var<storage, read> nodes_of_rows: array<u32>;

struct Children { first: u32, count: u32 }

fn children_of(row: u32) -> Children {
  let node = nodes_of_rows[row];
  if (node >= params.nodes) { return Children(0, 0); }
  return Children(trie[node], min(trie[node + 1] - trie[node], params.capacity));
}

fn token_of(edge: u32) -> u32 { return trie[params.nodes + 1 + edge]; }

fn logit_of(row: u32, first: u32, child: u32) -> f32 {
  if (params.compact != 0) { return load0(row, child / 4)[child % 4]; }
  let token = token_of(first + child);
  return load0(row, token / 4)[token % 4];
}

// logits (R, V) or (R, capacity) = in0, log-sum-exp over the vocabulary (R, 1) = in1 if over_vocabulary
// -> log-probabilities (R, capacity) = out0, 0 after the last child; their log-normaliser (R, 1) = out1
@compute @workgroup_size(8) fn trie_log_softmax(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let children = children_of(row);
  var log_sum = 0.0;
  if (params.over_vocabulary != 0) {
    log_sum = load1(row, 0).x;
  } else if (children.count > 0) {
    var top = -1e30;
    for (var j = 0u; j < children.count; j++) { top = max(top, logit_of(row, children.first, j)); }
    var total = 0.0;
    for (var j = 0u; j < children.count; j++) { total += exp(logit_of(row, children.first, j) - top); }
    log_sum = top + log(total);
  }
  store1(row, 0, vec4f(log_sum, 0, 0, 0));
  for (var g = 0u; g < (params.capacity + 3) / 4; g++) {
    var value = vec4f(0);
    for (var lane = 0u; lane < 4; lane++) {
      if (g * 4 + lane < children.count) {
        value[lane] = logit_of(row, children.first, g * 4 + lane) - log_sum;
      }
    }
    store0(row, g, value);
  }
}

// logits (R, V) = in0, log-normaliser (R, 1) = in1, gradient of the log-probabilities (R, capacity) = in2
// -> dLogits (R, V) = out0. Tokens ascend inside a node, so one walk over the row meets all children.
@compute @workgroup_size(8) fn trie_log_softmax_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let children = children_of(row);
  let log_sum = load1(row, 0).x;
  var total = 0.0;
  for (var j = 0u; j < children.count; j++) { total += load2(row, j / 4)[j % 4]; }
  var next = 0u;
  for (var g = 0u; g < (params.cols + 3) / 4; g++) {
    let inside = g * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols);
    let pull = select(vec4f(0), total * exp(load0(row, g) - log_sum), inside);
    var value = vec4f(0);
    if (params.over_vocabulary != 0) { value = -pull; }
    while (next < children.count) {
      let token = token_of(children.first + next);
      if (token / 4 > g) { break; }
      if (params.over_vocabulary == 0) { value[token % 4] -= pull[token % 4]; }
      value[token % 4] += load2(row, next / 4)[next % 4];
      next++;
    }
    store0(row, g, value);
  }
}

fn dot_with_head(row: u32, head_row: u32) -> f32 {
  var sum = vec4f(0);
  for (var g = 0u; g < (params.cols + 3) / 4; g++) { sum += load0(row, g) * load1(head_row, g); }
  return sum.x + sum.y + sum.z + sum.w;
}

// hidden (R, C) = in0, rows of the head (head_rows, C) = in1, logits of the children that other blocks gave
// (R, capacity) = in2 if has_before -> logits (R, capacity) = out0, 0 for tokens of later blocks and after the last
// child. One invocation four children; here `cols` is C.
@compute @workgroup_size(8) fn trie_child_logits(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let groups = (params.capacity + 3) / 4;
  let index = linear_index(id, workgroups, 8);
  let row = index / groups;
  if (row >= params.rows) { return; }
  let g = index % groups;
  let children = children_of(row);
  var value = vec4f(0);
  if (params.has_before != 0) { value = load2(row, g); }
  for (var lane = 0u; lane < 4; lane++) {
    if (g * 4 + lane >= children.count) { break; }
    let head_row = token_of(children.first + g * 4 + lane) - params.head_first; // wraps left of the block
    if (head_row < params.head_rows) { value[lane] = dot_with_head(row, head_row); }
  }
  store0(row, g, value);
}

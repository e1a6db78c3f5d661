// Packed tree attention (design: one mask for packing, shared prompts and beams). A query sees the keys of at most two
// intervals: its prompt and its own branch. Barrier-free, one invocation a (query, head), online softmax.
struct Params {
  queries: u32, heads: u32, heads_per_kv: u32,
  q: u32,                          // first group of the query columns
  k_first: u32, v_first: u32,      // first groups of keys and values in the matrix of the first interval
  k_second: u32, v_second: u32,    // and of the second
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the first interval and (start, end) of the second.
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;

// q (Tq, ..) = in0, keys and values of the first interval = in1, of the second = in2
// -> o (Tq, heads * headDim) = out0, (log-sum-exp, 0, 0, 0) a head = out1. A query that sees nothing gets 0.
@compute @workgroup_size(8) fn attention(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let span = intervals[row];
  let kv = (head / params.heads_per_kv) * GROUPS;
  let q = head_scale(head0(row, params.q + head * GROUPS), params.scale);
  var r = unseen();
  for (var j = span.x; j < span.y; j++) {
    r = see(r, head_dot(q, head1(j, params.k_first + kv)), head1(j, params.v_first + kv));
  }
  for (var j = span.z; j < span.w; j++) {
    r = see(r, head_dot(q, head2(j, params.k_second + kv)), head2(j, params.v_second + kv));
  }
  let seen = r.total > 0;
  store_head0(row, head * GROUPS, head_scale(r.o, select(0.0, 1 / r.total, seen)));
  store1(row, head, vec4f(select(0.0, r.top + log(r.total), seen), 0, 0, 0));
}

// Attention of queries in one matrix to keys and values in another, without 1 / sqrt(d), with a bias for each head and
// distance that is added to the scores (T5). Online softmax; two neighbouring queries an invocation, which share the
// loads of keys and values.
struct Params {
  queries: u32, heads: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  farthest: u32,          // distances beyond have its bias; 0: no bias
  stream: u32, threshold: u32, keep_scale: f32, // of dropout
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the keys that it sees and the row that its own place has among the keys.
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> seed: vec4u; // key low, key high, step, unused

struct Running { q: Head, o: Head, top: f32, total: f32, seen: vec4u }

fn query(row: u32, head: u32) -> Running {
  var r: Running;
  r.top = -1e30;
  if (row >= params.queries) { return r; }
  r.q = head0(row, params.q + head * GROUPS);
  r.seen = intervals[row];
  return r;
}

fn bias_of(key: u32, place: u32, head: u32) -> f32 {
  if (params.farthest == 0) { return 0; }
  return load2(distance_row(key, place, params.farthest), head / 4)[head % 4];
}

fn see(r: Running, key: u32, head: u32, k: Head, v: Head, weight: f32) -> Running {
  let visible = inside(key, r.seen.xy);
  let s = select(-1e30, head_dot(r.q, k) + bias_of(key, r.seen.z, head), visible);
  let top = max(r.top, s);
  let keep = exp(r.top - top);
  let p = select(0.0, exp(s - top), visible);
  return Running(r.q, head_mix(r.o, keep, v, p * weight), top, r.total * keep + p, r.seen);
}

fn finish(row: u32, head: u32, r: Running) {
  let some = r.total > 0;
  store_head0(row, head * GROUPS, head_scale(r.o, select(0.0, 1 / r.total, some)));
  store1(row, head, vec4f(select(0.0, r.top + log(r.total), some), 0, 0, 0));
}

// q (Tq, ..) = in0, keys and values (Tk, ..) = in1, biases (2 farthest + 1, heads) = in2
// -> o (Tq, heads * headDim) = out0, (log-sum-exp, 0, 0, 0) a head = out1. A query that sees nothing gets 0.
@compute @workgroup_size(8) fn relative_attention(@builtin(global_invocation_id) id: vec3u) {
  let row = 2 * id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let column = head * GROUPS;
  var a = query(row, head);
  var b = query(row + 1, head);
  let all = either(a.seen.xy, b.seen.xy);
  var bits: vec4u;
  for (var j = all.x; j < all.y; j++) {
    let k = head1(j, params.k + column);
    let v = head1(j, params.v + column);
    if (j == all.x || j % 2 == 0) { bits = drop_bits(row, j, head); }
    a = see(a, j, head, k, v, kept(bits, row, j, head));
    b = see(b, j, head, k, v, kept(bits, row + 1, j, head));
  }
  finish(row, head, a);
  finish(row + 1, head, b);
}

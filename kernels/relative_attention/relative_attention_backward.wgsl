// Backward of relative_attention.wgsl. Two neighbouring queries (relative_attention_dq) or keys (relative_attention_dkv)
// an invocation.
struct Params {
  rows: u32, heads: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  farthest: u32,          // 0: no bias
  groups: u32,            // of four buckets
  stream: u32, threshold: u32, keep_scale: f32, // of dropout
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the keys that it sees and the row that its own place has among the keys, per key (start, end)
// of the queries that see it (relative_attention_dkv).
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>;
// Bucket of each distance (2 farthest + 1). Those of a group of four follow each other.
@group(0) @binding(12) var<storage, read> buckets: array<u32>;
@group(0) @binding(13) var<storage, read> seed: vec4u; // key low, key high, step, unused

fn bias_of(key: u32, place: u32, head: u32) -> f32 {
  if (params.farthest == 0) { return 0; }
  return load4(distance_row(key, place, params.farthest), head / 4)[head % 4];
}

struct Query { q: Head, d_o: Head, row_stats: vec4f, seen: vec4u }

fn query(row: u32, head: u32) -> Query {
  var r: Query;
  if (row >= params.rows) { return r; }
  r.q = head0(row, params.q + head * GROUPS);
  r.d_o = head2(row, head * GROUPS);
  r.row_stats = load3(row, head);
  r.seen = intervals[row];
  return r;
}

// Gradient of the loss with respect to the score of a key; 0 for a key that is not seen.
fn d_score(r: Query, key: u32, head: u32, k: Head, v: Head, weight: f32) -> f32 {
  let p = select(
    0.0,
    exp(head_dot(r.q, k) + bias_of(key, r.seen.z, head) - r.row_stats.x),
    inside(key, r.seen.xy),
  );
  return p * (weight * head_dot(r.d_o, v) - r.row_stats.y);
}

// Sums by bucket, of which a group of four is filled at a time.
struct Terms { four: vec4f, group: u32 }

fn store_terms(row: u32, head: u32, t: Terms) { store1(row, head * params.groups + t.group, t.four); }

fn collect(t: Terms, row: u32, head: u32, key: u32, place: u32, term: f32) -> Terms {
  var r = t;
  let bucket = buckets[distance_row(key, place, params.farthest)];
  if (bucket / 4 != r.group) {
    store_terms(row, head, r);
    r.four = vec4f(0);
    r.group = bucket / 4;
  }
  r.four[bucket % 4] += term;
  return r;
}

// Terms of a query, whose groups are all 0 before the first of its keys.
fn first_terms(row: u32, head: u32, seen: vec4u) -> Terms {
  for (var g = 0u; g < params.groups; g++) { store_terms(row, head, Terms(vec4f(0), g)); }
  return Terms(vec4f(0), buckets[distance_row(seen.x, seen.z, params.farthest)] / 4);
}

// q = in0, keys and values = in1, dO = in2, (log-sum-exp, dO . o) a head = in3, biases (2 farthest + 1, heads) = in4
// -> q columns of dQ = out0, gradient of the scores by head and bucket (Tq, heads * buckets) = out1
@compute @workgroup_size(8) fn relative_attention_dq(@builtin(global_invocation_id) id: vec3u) {
  let row = 2 * id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let column = head * GROUPS;
  let biased = params.groups > 0;
  let a = query(row, head);
  let b = query(row + 1, head);
  var ta: Terms;
  var tb: Terms;
  if (biased) {
    ta = first_terms(row, head, a.seen);
    tb = first_terms(row + 1, head, b.seen);
  }
  var da: Head;
  var db: Head;
  let all = either(a.seen.xy, b.seen.xy);
  var bits: vec4u;
  for (var j = all.x; j < all.y; j++) {
    let k = head1(j, params.k + column);
    let v = head1(j, params.v + column);
    if (j == all.x || j % 2 == 0) { bits = drop_bits(row, j, head); }
    let sa = d_score(a, j, head, k, v, kept(bits, row, j, head));
    let sb = d_score(b, j, head, k, v, kept(bits, row + 1, j, head));
    da = head_mix(da, 1, k, sa);
    db = head_mix(db, 1, k, sb);
    if (biased) {
      if (inside(j, a.seen.xy)) { ta = collect(ta, row, head, j, a.seen.z, sa); }
      if (inside(j, b.seen.xy)) { tb = collect(tb, row + 1, head, j, b.seen.z, sb); }
    }
  }
  store_head0(row, params.q + column, da);
  store_head0(row + 1, params.q + column, db);
  if (biased) {
    store_terms(row, head, ta);
    store_terms(row + 1, head, tb);
  }
}

struct Key { k: Head, v: Head, dk: Head, dv: Head, seen: vec2u }

fn key(row: u32, head: u32) -> Key {
  var r: Key;
  if (row >= params.rows) { return r; }
  r.k = head1(row, params.k + head * GROUPS);
  r.v = head1(row, params.v + head * GROUPS);
  r.seen = viewers[row];
  return r;
}

fn weigh(r: Key, row: u32, i: u32, head: u32, q: Head, d_o: Head, row_stats: vec4f, weight: f32) -> Key {
  let p = select(0.0, exp(head_dot(q, r.k) + bias_of(row, intervals[i].z, head) - row_stats.x), inside(i, r.seen));
  let d = p * (weight * head_dot(d_o, r.v) - row_stats.y);
  return Key(r.k, r.v, head_mix(r.dk, 1, q, d), head_mix(r.dv, 1, d_o, p * weight), r.seen);
}

// q = in0, keys and values = in1, dO = in2, (log-sum-exp, dO . o) a head = in3, biases (2 farthest + 1, heads) = in4
// -> k and v columns of dKV = out0
@compute @workgroup_size(8) fn relative_attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = 2 * id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let column = head * GROUPS;
  var a = key(row, head);
  var b = key(row + 1, head);
  let all = either(a.seen, b.seen);
  var bits: vec4u;
  for (var i = all.x; i < all.y; i++) {
    let q = head0(i, params.q + column);
    let d_o = head2(i, column);
    let row_stats = load3(i, head);
    if (i == all.x || i % 2 == 0) { bits = drop_bits(i, row, head); }
    a = weigh(a, row, i, head, q, d_o, row_stats, kept(bits, i, row, head));
    b = weigh(b, row + 1, i, head, q, d_o, row_stats, kept(bits, i, row + 1, head));
  }
  store_head0(row, params.k + column, a.dk);
  store_head0(row, params.v + column, a.dv);
  store_head0(row + 1, params.k + column, b.dk);
  store_head0(row + 1, params.v + column, b.dv);
}

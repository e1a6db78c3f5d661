// Backward of neighbours.wgsl: two or four neighbouring queries (attention_dq) or keys (attention_dkv) an invocation.
// Queries, keys and values are the columns of one matrix (T, q | k | v).
struct Params {
  tokens: u32, heads: u32, heads_per_kv: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query the two key intervals (attention_dq), per key (start, end) of the queries that see it (attention_dkv).
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>;

struct Query { q: Head, d_o: Head, delta: f32, lse: f32, spans: vec4u }

fn query(row: u32, head: u32) -> Query {
  var r: Query;
  if (row >= params.tokens) { return r; }
  r.q = head_scale(head0(row, params.q + head * GROUPS), params.scale);
  r.d_o = head1(row, head * GROUPS);
  r.delta = head_dot(r.d_o, head2(row, head * GROUPS));
  r.lse = load3(row, head).x;
  r.spans = intervals[row];
  return r;
}

// Gradient of the loss with respect to the score of a key.
fn d_score(r: Query, visible: bool, k: Head, v: Head) -> f32 {
  let p = select(0.0, exp(head_dot(r.q, k) - r.lse), visible);
  return p * (head_dot(r.d_o, v) - r.delta);
}

// qkv = in0, dO = in1, o = in2, log-sum-exp = in3 -> q columns of dQKV = out0, (log-sum-exp, dO . o, 0, 0) a head = out1
@compute @workgroup_size(8) fn attention_dq(@builtin(global_invocation_id) id: vec3u) {
  let row = ROWS * id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let kv = (head / params.heads_per_kv) * GROUPS;
  let a = query(row, head);
  let b = query(row + 1, head);
  let c = query(row + 2, head); // ROWS > 2
  let d = query(row + 3, head); // ROWS > 2
  var da: Head;
  var db: Head;
  var dc: Head; // ROWS > 2
  var dd: Head; // ROWS > 2
  var first = either(a.spans.xy, b.spans.xy);
  first = either(first, either(c.spans.xy, d.spans.xy)); // ROWS > 2
  for (var j = first.x; j < first.y; j++) {
    let k = head0(j, params.k + kv);
    let v = head0(j, params.v + kv);
    da = head_mix(da, 1, k, d_score(a, inside(j, a.spans.xy), k, v));
    db = head_mix(db, 1, k, d_score(b, inside(j, b.spans.xy), k, v));
    dc = head_mix(dc, 1, k, d_score(c, inside(j, c.spans.xy), k, v)); // ROWS > 2
    dd = head_mix(dd, 1, k, d_score(d, inside(j, d.spans.xy), k, v)); // ROWS > 2
  }
  var second = either(a.spans.zw, b.spans.zw);
  second = either(second, either(c.spans.zw, d.spans.zw)); // ROWS > 2
  for (var j = second.x; j < second.y; j++) {
    let k = head0(j, params.k + kv);
    let v = head0(j, params.v + kv);
    da = head_mix(da, 1, k, d_score(a, inside(j, a.spans.zw), k, v));
    db = head_mix(db, 1, k, d_score(b, inside(j, b.spans.zw), k, v));
    dc = head_mix(dc, 1, k, d_score(c, inside(j, c.spans.zw), k, v)); // ROWS > 2
    dd = head_mix(dd, 1, k, d_score(d, inside(j, d.spans.zw), k, v)); // ROWS > 2
  }
  end_query(row, head, a, da);
  end_query(row + 1, head, b, db);
  end_query(row + 2, head, c, dc); // ROWS > 2
  end_query(row + 3, head, d, dd); // ROWS > 2
}

fn end_query(row: u32, head: u32, r: Query, dq: Head) {
  store_head0(row, params.q + head * GROUPS, head_scale(dq, params.scale));
  store1(row, head, vec4f(r.lse, r.delta, 0, 0));
}

struct Key { k: Head, v: Head, span: vec2u }

fn key(row: u32, first: u32) -> Key {
  var r: Key;
  if (row >= params.tokens) { return r; }
  r.k = head_scale(head0(row, params.k + first), params.scale);
  r.v = head0(row, params.v + first);
  r.span = viewers[row];
  return r;
}

struct KeyGradients { k: Head, v: Head }

// What a query that may not see a key adds to its gradients.
fn add_query(r: KeyGradients, to: Key, visible: bool, q: Head, d_o: Head, stats: vec4f) -> KeyGradients {
  let p = select(0.0, exp(head_dot(q, to.k) - stats.x), visible);
  return KeyGradients(head_mix(r.k, 1, q, p * (head_dot(d_o, to.v) - stats.y)), head_mix(r.v, 1, d_o, p));
}

fn end_key(row: u32, first: u32, r: KeyGradients) {
  store_head0(row, params.k + first, head_scale(r.k, params.scale));
  store_head0(row, params.v + first, r.v);
}

// qkv = in0, dO = in1, (log-sum-exp, dO . o) = in2 -> k and v columns of dQKV = out0
@compute @workgroup_size(8) fn attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = ROWS * id.x;
  let kv = id.y * GROUPS;
  if (row >= params.tokens) { return; }
  let a = key(row, kv);
  let b = key(row + 1, kv);
  let c = key(row + 2, kv); // ROWS > 2
  let d = key(row + 3, kv); // ROWS > 2
  var da: KeyGradients;
  var db: KeyGradients;
  var dc: KeyGradients; // ROWS > 2
  var dd: KeyGradients; // ROWS > 2
  var span = either(a.span, b.span);
  span = either(span, either(c.span, d.span)); // ROWS > 2
  for (var h = 0u; h < params.heads_per_kv; h++) {
    let head = id.y * params.heads_per_kv + h;
    for (var i = span.x; i < span.y; i++) {
      let q = head0(i, params.q + head * GROUPS);
      let d_o = head1(i, head * GROUPS);
      let stats = load2(i, head);
      da = add_query(da, a, inside(i, a.span), q, d_o, stats);
      db = add_query(db, b, inside(i, b.span), q, d_o, stats);
      dc = add_query(dc, c, inside(i, c.span), q, d_o, stats); // ROWS > 2
      dd = add_query(dd, d, inside(i, d.span), q, d_o, stats); // ROWS > 2
    }
  }
  end_key(row, kv, da);
  end_key(row + 1, kv, db);
  end_key(row + 2, kv, dc); // ROWS > 2
  end_key(row + 3, kv, dd); // ROWS > 2
}

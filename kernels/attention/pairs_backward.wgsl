// Backward of pairs.wgsl: two neighbouring queries (attention_dq) or keys (attention_dkv) an invocation.
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
  let row = 2 * id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let kv = (head / params.heads_per_kv) * GROUPS;
  let a = query(row, head);
  let b = query(row + 1, head);
  var da: Head;
  var db: Head;
  let first = either(a.spans.xy, b.spans.xy);
  for (var j = first.x; j < first.y; j++) {
    let k = head0(j, params.k + kv);
    let v = head0(j, params.v + kv);
    da = head_mix(da, 1, k, d_score(a, inside(j, a.spans.xy), k, v));
    db = head_mix(db, 1, k, d_score(b, inside(j, b.spans.xy), k, v));
  }
  let second = either(a.spans.zw, b.spans.zw);
  for (var j = second.x; j < second.y; j++) {
    let k = head0(j, params.k + kv);
    let v = head0(j, params.v + kv);
    da = head_mix(da, 1, k, d_score(a, inside(j, a.spans.zw), k, v));
    db = head_mix(db, 1, k, d_score(b, inside(j, b.spans.zw), k, v));
  }
  store_head0(row, params.q + head * GROUPS, head_scale(da, params.scale));
  store1(row, head, vec4f(a.lse, a.delta, 0, 0));
  store_head0(row + 1, params.q + head * GROUPS, head_scale(db, params.scale));
  store1(row + 1, head, vec4f(b.lse, b.delta, 0, 0));
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

// qkv = in0, dO = in1, (log-sum-exp, dO . o) = in2 -> k and v columns of dQKV = out0
@compute @workgroup_size(8) fn attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = 2 * id.x;
  let kv = id.y * GROUPS;
  if (row >= params.tokens) { return; }
  let a = key(row, kv);
  let b = key(row + 1, kv);
  var dka: Head;
  var dva: Head;
  var dkb: Head;
  var dvb: Head;
  let span = either(a.span, b.span);
  for (var h = 0u; h < params.heads_per_kv; h++) {
    let head = id.y * params.heads_per_kv + h;
    for (var i = span.x; i < span.y; i++) {
      let q = head0(i, params.q + head * GROUPS);
      let d_o = head1(i, head * GROUPS);
      let row_stats = load2(i, head);
      let pa = select(0.0, exp(head_dot(q, a.k) - row_stats.x), inside(i, a.span));
      let pb = select(0.0, exp(head_dot(q, b.k) - row_stats.x), inside(i, b.span));
      dka = head_mix(dka, 1, q, pa * (head_dot(d_o, a.v) - row_stats.y));
      dkb = head_mix(dkb, 1, q, pb * (head_dot(d_o, b.v) - row_stats.y));
      dva = head_mix(dva, 1, d_o, pa);
      dvb = head_mix(dvb, 1, d_o, pb);
    }
  }
  store_head0(row, params.k + kv, head_scale(dka, params.scale));
  store_head0(row, params.v + kv, dva);
  store_head0(row + 1, params.k + kv, head_scale(dkb, params.scale));
  store_head0(row + 1, params.v + kv, dvb);
}

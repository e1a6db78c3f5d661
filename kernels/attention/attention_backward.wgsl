// Backward of attention.wgsl where queries, keys and values are the columns of one matrix (T, q | k | v).
struct Params {
  tokens: u32, heads: u32, heads_per_kv: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query the two key intervals (attention_dq), per key (start, end) of the queries that see it (attention_dkv).
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>;

// qkv = in0, dO = in1, o = in2, log-sum-exp = in3 -> q columns of dQKV = out0, (log-sum-exp, dO . o, 0, 0) a head = out1
@compute @workgroup_size(8) fn attention_dq(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let span = intervals[row];
  let kv = (head / params.heads_per_kv) * GROUPS;
  let q = head_scale(head0(row, params.q + head * GROUPS), params.scale);
  let d_o = head1(row, head * GROUPS);
  let delta = head_dot(d_o, head2(row, head * GROUPS));
  let lse = load3(row, head).x;
  var dq: Head;
  for (var j = span.x; j < span.y; j++) {
    let k = head0(j, params.k + kv);
    let p = exp(head_dot(q, k) - lse);
    dq = head_mix(dq, 1, k, p * (head_dot(d_o, head0(j, params.v + kv)) - delta));
  }
  for (var j = span.z; j < span.w; j++) {
    let k = head0(j, params.k + kv);
    let p = exp(head_dot(q, k) - lse);
    dq = head_mix(dq, 1, k, p * (head_dot(d_o, head0(j, params.v + kv)) - delta));
  }
  store_head0(row, params.q + head * GROUPS, head_scale(dq, params.scale));
  store1(row, head, vec4f(lse, delta, 0, 0));
}

// qkv = in0, dO = in1, (log-sum-exp, dO . o) = in2 -> k and v columns of dQKV = out0. One invocation a (key, kv head).
@compute @workgroup_size(8) fn attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let kv_head = id.y;
  if (row >= params.tokens) { return; }
  let span = viewers[row];
  let k = head_scale(head0(row, params.k + kv_head * GROUPS), params.scale);
  let v = head0(row, params.v + kv_head * GROUPS);
  var dk: Head;
  var dv: Head;
  for (var h = 0u; h < params.heads_per_kv; h++) {
    let head = kv_head * params.heads_per_kv + h;
    for (var i = span.x; i < span.y; i++) {
      let q = head0(i, params.q + head * GROUPS);
      let d_o = head1(i, head * GROUPS);
      let row_stats = load2(i, head);
      let p = exp(head_dot(q, k) - row_stats.x);
      dk = head_mix(dk, 1, q, p * (head_dot(d_o, v) - row_stats.y));
      dv = head_mix(dv, 1, d_o, p);
    }
  }
  store_head0(row, params.k + kv_head * GROUPS, head_scale(dk, params.scale));
  store_head0(row, params.v + kv_head * GROUPS, dv);
}

// Backward of relative_attention.wgsl, where the place of a query among the keys is its own row if there is a bias.
struct Params {
  rows: u32, heads: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  buckets: u32,           // 0: no bias
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the keys that it sees and its own row (relative_attention_dq), per key (start, end) of the
// queries that see it (relative_attention_dkv).
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>;
// Per bucket the half-open interval of the key's place less the query's.
@group(0) @binding(12) var<storage, read> ranges: array<vec2i>;

// q = in0, keys and values = in1, dO = in2, (log-sum-exp, dO . o) a head = in3, bias table (buckets, heads) = in4
// -> q columns of dQ = out0, gradient of the scores by head and bucket (Tq, heads * buckets) = out1
@compute @workgroup_size(8) fn relative_attention_dq(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let seen = intervals[row];
  let column = head * GROUPS;
  let q = head0(row, params.q + column);
  let d_o = head2(row, column);
  let row_stats = load3(row, head);
  var dq: Head;
  var four = vec4f(0);
  for (var b = 0u; b < max(params.buckets, 1u); b++) {
    var span = seen.xy;
    var bias = 0.0;
    if (params.buckets > 0) {
      span = shifted(span, seen.z, ranges[b]);
      bias = load4(b, head / 4)[head % 4];
    }
    var sum = 0.0;
    for (var j = span.x; j < span.y; j++) {
      let k = head1(j, params.k + column);
      let p = exp(head_dot(q, k) + bias - row_stats.x);
      let d_score = p * (head_dot(d_o, head1(j, params.v + column)) - row_stats.y);
      dq = head_mix(dq, 1, k, d_score);
      sum += d_score;
    }
    four[b % 4] = sum;
    if (params.buckets > 0 && b % 4 == 3) { store1(row, (head * params.buckets + b) / 4, four); }
  }
  store_head0(row, params.q + column, dq);
}

// q = in0, keys and values = in1, dO = in2, (log-sum-exp, dO . o) a head = in3, bias table (buckets, heads) = in4
// -> k and v columns of dKV = out0. One invocation a (key, head).
@compute @workgroup_size(8) fn relative_attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.rows) { return; }
  let seen = viewers[row];
  let column = head * GROUPS;
  let k = head1(row, params.k + column);
  let v = head1(row, params.v + column);
  var dk: Head;
  var dv: Head;
  for (var b = 0u; b < max(params.buckets, 1u); b++) {
    var span = seen;
    var bias = 0.0;
    if (params.buckets > 0) {
      // The distance is the key's row less the query's: the query's is the key's less the distance.
      span = shifted(span, row, vec2i(1 - ranges[b].y, 1 - ranges[b].x));
      if (span.x >= span.y) { continue; }
      bias = load4(b, head / 4)[head % 4];
    }
    for (var i = span.x; i < span.y; i++) {
      let q = head0(i, params.q + column);
      let d_o = head2(i, column);
      let row_stats = load3(i, head);
      let p = exp(head_dot(q, k) + bias - row_stats.x);
      dk = head_mix(dk, 1, q, p * (head_dot(d_o, v) - row_stats.y));
      dv = head_mix(dv, 1, d_o, p);
    }
  }
  store_head0(row, params.k + column, dk);
  store_head0(row, params.v + column, dv);
}

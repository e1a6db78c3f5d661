// Attention of queries in one matrix to keys and values in another, without 1 / sqrt(d), with a bias for each head and
// distance that is added to the scores (T5). Distances come in buckets, each of which is an interval: a query walks
// over its keys bucket by bucket, so that no key looks its bucket up. One invocation a (query, head), online softmax.
struct Params {
  queries: u32, heads: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  buckets: u32,           // 0: no bias
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the keys that it sees and the row that its own place has among the keys.
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
// Per bucket the half-open interval of the key's place less the query's.
@group(0) @binding(11) var<storage, read> ranges: array<vec2i>;

// q (Tq, ..) = in0, keys and values (Tk, ..) = in1, bias table (buckets, heads) = in2
// -> o (Tq, heads * headDim) = out0, (log-sum-exp, 0, 0, 0) a head = out1. A query that sees nothing gets 0.
@compute @workgroup_size(8) fn relative_attention(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let seen = intervals[row];
  let column = head * GROUPS;
  let q = head0(row, params.q + column);
  var o: Head;
  var top = -1e30;
  var total = 0.0;
  for (var b = 0u; b < max(params.buckets, 1u); b++) {
    var span = seen.xy;
    var bias = 0.0;
    if (params.buckets > 0) {
      span = shifted(span, seen.z, ranges[b]);
      if (span.x >= span.y) { continue; }
      bias = load2(b, head / 4)[head % 4];
    }
    for (var j = span.x; j < span.y; j++) {
      let score = head_dot(q, head1(j, params.k + column)) + bias;
      let next = max(top, score);
      let keep = exp(top - next);
      let p = exp(score - next);
      total = total * keep + p;
      top = next;
      o = head_mix(o, keep, head1(j, params.v + column), p);
    }
  }
  let some = total > 0;
  store_head0(row, column, head_scale(o, select(0.0, 1 / total, some)));
  store1(row, head, vec4f(select(0.0, top + log(total), some), 0, 0, 0));
}

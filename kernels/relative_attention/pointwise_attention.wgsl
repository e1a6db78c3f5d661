// Pointwise attention over packed sequences: a query weighs each key up to itself by silu(q . k + bias of their distance),
// without a softmax. One invocation a (row, head); queries, keys and values are the columns of one matrix (T, q | k | v).
struct Params {
  tokens: u32, heads: u32,
  lag_groups: u32, // groups of a head's biases
  scale: f32,      // of the weights
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>; // of a row in its sequence
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>; // (start, end) of the rows that see a row

// The clamp keeps exp finite: WGSL does not promise infinities.
fn sigmoid(x: f32) -> f32 { return 1 / (1 + exp(min(-x, 80.0))); }
fn silu_slope(x: f32) -> f32 {
  let s = sigmoid(x);
  return s * (1 + x * (1 - s));
}

// Keys that a row sees: those of its sequence up to itself; none where the row is unused.
fn keys_of(row: u32) -> u32 { return select(0u, positions[row] + 1, viewers[row].y > 0); }

// First group of the queries, keys and values of a head.
fn q_of(head: u32) -> u32 { return head * GROUPS; }
fn k_of(head: u32) -> u32 { return (params.heads + head) * GROUPS; }
fn v_of(head: u32) -> u32 { return (2 * params.heads + head) * GROUPS; }

// qkv (T, 3C) = in0, bias (heads, lags) = in1 -> o (T, C) = out0
@compute @workgroup_size(8) fn pointwise_attention(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let keys = keys_of(row);
  let q = head0(row, q_of(head));
  var o: Head;
  for (var lag = 0u; lag < keys; lag++) {
    let biases = load1(head, lag / 4);
    let score = head_dot(q, head0(row - lag, k_of(head))) + biases[lag % 4];
    o = head_mix(o, 1, head0(row - lag, v_of(head)), params.scale * score * sigmoid(score));
  }
  store_head0(row, q_of(head), o);
}

// qkv = in0, dO (T, C) = in1, bias = in2 -> q columns of dQKV = out0, terms of the bias gradient (T, heads * lags) = out1
@compute @workgroup_size(8) fn pointwise_attention_dq(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let keys = keys_of(row);
  let q = head0(row, q_of(head));
  let d_o = head1(row, q_of(head));
  var dq: Head;
  for (var g = 0u; g < params.lag_groups; g++) {
    let biases = load2(head, g);
    var terms = vec4f(0);
    for (var i = 0u; i < 4 && 4 * g + i < keys; i++) {
      let j = row - 4 * g - i;
      let k = head0(j, k_of(head));
      let slope = silu_slope(head_dot(q, k) + biases[i]);
      terms[i] = params.scale * slope * head_dot(d_o, head0(j, v_of(head)));
      dq = head_mix(dq, 1, k, terms[i]);
    }
    store1(row, head * params.lag_groups + g, terms);
  }
  store_head0(row, q_of(head), dq);
}

// qkv = in0, dO = in1, bias = in2 -> k and v columns of dQKV = out0
@compute @workgroup_size(8) fn pointwise_attention_dkv(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.tokens) { return; }
  let k = head0(row, k_of(head));
  let v = head0(row, v_of(head));
  let span = viewers[row];
  var dk: Head;
  var dv: Head;
  for (var i = span.x; i < span.y; i++) {
    let q = head0(i, q_of(head));
    let d_o = head1(i, q_of(head));
    let biases = load2(head, (i - row) / 4);
    let score = head_dot(q, k) + biases[(i - row) % 4];
    dk = head_mix(dk, 1, q, params.scale * silu_slope(score) * head_dot(d_o, v));
    dv = head_mix(dv, 1, d_o, params.scale * score * sigmoid(score));
  }
  store_head0(row, k_of(head), dk);
  store_head0(row, v_of(head), dv);
}

// Symmetric Kullback-Leibler divergence of softmax(p) and softmax(q). Statistics of a row: x log of the sum of exp p,
// y that of q, z KL(P | Q), w KL(Q | P).
struct Params { rows: u32, cols: u32 }
@group(0) @binding(20) var<uniform> params: Params;

const LOWEST = -3.4e38;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn is_column(group: u32) -> vec4<bool> { return group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols); }

@group(0) @binding(10) var<storage, read> row_weights: array<f32>;
@group(0) @binding(11) var<storage, read_write> stats: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> row_loss: array<f32>;

// p (R, K) = in0, q (R, K) = in1, row_weights (R) -> stats (R), row_loss (R): weight * (KL(P | Q) + KL(Q | P))
@compute @workgroup_size(32) fn symmetric_kl(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, 32);
  if (row >= params.rows) { return; }
  let groups = (params.cols + 3) / 4;
  var largest_p = vec4f(LOWEST);
  var largest_q = vec4f(LOWEST);
  for (var g = 0u; g < groups; g++) {
    let inside = is_column(g);
    largest_p = max(largest_p, select(vec4f(LOWEST), load0(row, g), inside));
    largest_q = max(largest_q, select(vec4f(LOWEST), load1(row, g), inside));
  }
  let top_p = max4(largest_p);
  let top_q = max4(largest_q);
  var exps_p = vec4f(0);
  var exps_q = vec4f(0);
  for (var g = 0u; g < groups; g++) {
    let inside = is_column(g);
    exps_p += select(vec4f(0), exp(load0(row, g) - top_p), inside);
    exps_q += select(vec4f(0), exp(load1(row, g) - top_q), inside);
  }
  let log_p = log(sum4(exps_p));
  let log_q = log(sum4(exps_q));
  var from_p = vec4f(0);
  var from_q = vec4f(0);
  for (var g = 0u; g < groups; g++) {
    let inside = is_column(g);
    // Each less its own largest first: what is left of two large logits is not lost in their sum.
    let p = load0(row, g) - top_p - log_p;
    let q = load1(row, g) - top_q - log_q;
    from_p += select(vec4f(0), exp(p) * (p - q), inside);
    from_q += select(vec4f(0), exp(q) * (q - p), inside);
  }
  let divergences = vec2f(sum4(from_p), sum4(from_q));
  stats[row] = vec4f(top_p + log_p, top_q + log_q, divergences);
  let weight = row_weights[row];
  // A row of weight 0 is padding: whatever its logits hold must not count.
  row_loss[row] = select(weight * (divergences.x + divergences.y), 0.0, weight == 0);
}

@group(0) @binding(10) var<storage, read> weights: array<f32>;
@group(0) @binding(11) var<storage, read> all_stats: array<vec4f>;

// p (R, K) = in0, q (R, K) = in1, weights (R), all_stats (R) -> gradients of p (R, K) = out0 and of q (R, K) = out1
@compute @workgroup_size(16, 8) fn symmetric_kl_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4 >= params.cols || id.y >= params.rows) { return; }
  let weight = weights[id.y];
  var dp = vec4f(0);
  var dq = vec4f(0);
  if (weight != 0) {
    let s = all_stats[id.y];
    let log_p = load0(id.y, id.x) - s.x;
    let log_q = load1(id.y, id.x) - s.y;
    let p = exp(log_p);
    let q = exp(log_q);
    let inside = is_column(id.x);
    dp = select(vec4f(0), weight * (p * (log_p - log_q - s.z) + p - q), inside);
    dq = select(vec4f(0), weight * (q * (log_q - log_p - s.w) + q - p), inside);
  }
  store0(id.y, id.x, dp);
  store1(id.y, id.x, dq);
}

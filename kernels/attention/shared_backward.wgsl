// Backward of shared.wgsl where queries, keys and values are the columns of one matrix (T, q | k | v).
// Three tiles are all that 32 KiB hold for the widest heads, so the third one is filled in turn with what is needed next.
struct Params {
  tokens: u32, heads: u32, heads_per_kv: u32,
  q: u32, k: u32, v: u32, // first groups of the columns
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query the two key intervals (dq), per key (start, end) of the queries that see it (dkv).
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>;

// Fills c_tile with 16 rows from `start` on of in0 (qkv), rows from `end` on as 0.
fn stage_qkv(me: u32, start: u32, end: u32, column: u32) {
  for (var i = me; i < GROUPS * BLOCK; i += THREADS) {
    let row = start + i / GROUPS;
    var v = vec4f(0);
    if (row < end) { v = load0(row, column + i % GROUPS); }
    c_tile[i % GROUPS * STRIDE + i / GROUPS] = v;
  }
}

// The same of in1 (dO).
fn stage_d_o(me: u32, start: u32, end: u32, column: u32) {
  for (var i = me; i < GROUPS * BLOCK; i += THREADS) {
    let row = start + i / GROUPS;
    var v = vec4f(0);
    if (row < end) { v = load1(row, column + i % GROUPS); }
    c_tile[i % GROUPS * STRIDE + i / GROUPS] = v;
  }
}

fn dot_a(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(a_tile[g * STRIDE + y], c_tile[g * STRIDE + x]); }
  return sum;
}

fn dot_b(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(b_tile[g * STRIDE + y], c_tile[g * STRIDE + x]); }
  return sum;
}

// qkv = in0, dO = in1, o = in2, log-sum-exp = in3 -> q columns of dQKV = out0, (log-sum-exp, dO . o, 0, 0) a head = out1
@compute @workgroup_size(256) fn attention_shared_dq(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let first = workgroup.x * BLOCK;
  let head = workgroup.y;
  let kv = (head / params.heads_per_kv) * GROUPS;
  let x = me % BLOCK;
  let y = me / BLOCK;
  let row = first + y;
  for (var i = me; i < GROUPS * BLOCK; i += THREADS) {
    let at = i % GROUPS * STRIDE + i / GROUPS;
    let group = head * GROUPS + i % GROUPS;
    a_tile[at] = params.scale * load0(first + i / GROUPS, params.q + group);
    b_tile[at] = load1(first + i / GROUPS, group);
  }
  if (me < BLOCK) {
    var span = vec4u(0);
    if (first + me < params.tokens) { span = intervals[first + me]; }
    spans[me] = span;
  }
  let all = reach(me);
  let span = spans[y];

  var part_of_delta = 0.0;
  for (var g = x; g < GROUPS; g += BLOCK) {
    part_of_delta += dot(b_tile[g * STRIDE + y], load2(row, head * GROUPS + g));
  }
  pairs[y * STRIDE + x] = part_of_delta;
  workgroupBarrier();
  var delta = 0.0;
  for (var j = 0u; j < BLOCK; j++) { delta += pairs[y * STRIDE + j]; }
  let lse = load3(row, head).x;

  var dq0 = vec4f(0);
  var dq1 = vec4f(0);
  for (var part = 0u; part < 2; part++) {
    let walk = select(all.xy, all.zw, part == 1);
    let seen = select(span.xy, span.zw, part == 1);
    for (var start = walk.x; start < walk.y; start += BLOCK) {
      stage_qkv(me, start, walk.y, params.v + kv);
      workgroupBarrier();
      let d_weight = dot_b(y, x);
      workgroupBarrier();
      stage_qkv(me, start, walk.y, params.k + kv);
      workgroupBarrier();
      let visible = start + x >= seen.x && start + x < seen.y;
      let p = select(0.0, exp(dot_a(y, x) - lse), visible);
      weights[y * STRIDE + x] = p * (d_weight - delta);
      workgroupBarrier();
      for (var j = 0u; j < BLOCK; j++) {
        let d_score = weights[y * STRIDE + j];
        if (x < GROUPS) { dq0 += d_score * c_tile[x * STRIDE + j]; }
        if (x + BLOCK < GROUPS) { dq1 += d_score * c_tile[(x + BLOCK) * STRIDE + j]; }
      }
      workgroupBarrier();
    }
  }
  if (row >= params.tokens) { return; }
  let column = params.q + head * GROUPS;
  if (x < GROUPS) { store0(row, column + x, dq0 * params.scale); }
  if (x + BLOCK < GROUPS) { store0(row, column + x + BLOCK, dq1 * params.scale); }
  if (x == 0) { store1(row, head, vec4f(lse, delta, 0, 0)); }
}

// qkv = in0, dO = in1, (log-sum-exp, dO . o) = in2 -> k and v columns of dQKV = out0. A workgroup holds 16 keys of one
// key-value head and walks over the queries that see any of them.
@compute @workgroup_size(256) fn attention_shared_dkv(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let first = workgroup.x * BLOCK;
  let kv_head = workgroup.y;
  let x = me % BLOCK;
  let y = me / BLOCK;
  for (var i = me; i < GROUPS * BLOCK; i += THREADS) {
    let at = i % GROUPS * STRIDE + i / GROUPS;
    let group = kv_head * GROUPS + i % GROUPS;
    a_tile[at] = params.scale * load0(first + i / GROUPS, params.k + group);
    b_tile[at] = load0(first + i / GROUPS, params.v + group);
  }
  if (me < BLOCK) {
    var span = vec2u(0);
    if (first + me < params.tokens) { span = viewers[first + me]; }
    spans[me] = vec4u(span, 0, 0);
  }
  let all = reach(me);
  let seen = spans[y];

  var dk0 = vec4f(0);
  var dk1 = vec4f(0);
  var dv0 = vec4f(0);
  var dv1 = vec4f(0);
  for (var h = 0u; h < params.heads_per_kv; h++) {
    let head = kv_head * params.heads_per_kv + h;
    let column = head * GROUPS;
    for (var start = all.x; start < all.y; start += BLOCK) {
      stage_qkv(me, start, all.y, params.q + column);
      workgroupBarrier();
      let row_stats = load2(start + x, head);
      let visible = start + x >= seen.x && start + x < seen.y;
      let p = select(0.0, exp(dot_a(y, x) - row_stats.x), visible);
      weights[y * STRIDE + x] = p;
      workgroupBarrier();
      stage_d_o(me, start, all.y, column);
      workgroupBarrier();
      pairs[y * STRIDE + x] = p * (dot_b(y, x) - row_stats.y);
      for (var j = 0u; j < BLOCK; j++) {
        let weight = weights[y * STRIDE + j];
        if (x < GROUPS) { dv0 += weight * c_tile[x * STRIDE + j]; }
        if (x + BLOCK < GROUPS) { dv1 += weight * c_tile[(x + BLOCK) * STRIDE + j]; }
      }
      workgroupBarrier();
      stage_qkv(me, start, all.y, params.q + column);
      workgroupBarrier();
      for (var j = 0u; j < BLOCK; j++) {
        let d_score = pairs[y * STRIDE + j];
        if (x < GROUPS) { dk0 += d_score * c_tile[x * STRIDE + j]; }
        if (x + BLOCK < GROUPS) { dk1 += d_score * c_tile[(x + BLOCK) * STRIDE + j]; }
      }
      workgroupBarrier();
    }
  }
  let row = first + y;
  if (row >= params.tokens) { return; }
  let k = params.k + kv_head * GROUPS;
  let v = params.v + kv_head * GROUPS;
  if (x < GROUPS) {
    store0(row, k + x, dk0 * params.scale);
    store0(row, v + x, dv0);
  }
  if (x + BLOCK < GROUPS) {
    store0(row, k + x + BLOCK, dk1 * params.scale);
    store0(row, v + x + BLOCK, dv1);
  }
}

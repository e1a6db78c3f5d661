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
    c_tile[i % GROUPS * STRIDE + i / GROUPS] = Four(v);
  }
}

// The same of in1 (dO).
fn stage_d_o(me: u32, start: u32, end: u32, column: u32) {
  for (var i = me; i < GROUPS * BLOCK; i += THREADS) {
    let row = start + i / GROUPS;
    var v = vec4f(0);
    if (row < end) { v = load1(row, column + i % GROUPS); }
    c_tile[i % GROUPS * STRIDE + i / GROUPS] = Four(v);
  }
}

// qkv = in0, dO = in1, o = in2, log-sum-exp = in3 -> q columns of dQKV = out0, (log-sum-exp, dO . o, 0, 0) a head = out1
@compute @workgroup_size(256) fn attention_shared_dq(me: Member, @builtin(workgroup_id) workgroup: vec3u) {
  let first = workgroup.x * BLOCK;
  let head = workgroup.y;
  let kv = (head / params.heads_per_kv) * GROUPS;
  let team = team_of(me);
  let at = place_of(me);
  let row = first + at.y;
  for (var i = me.index; i < GROUPS * BLOCK; i += THREADS) {
    let to = i % GROUPS * STRIDE + i / GROUPS;
    let group = head * GROUPS + i % GROUPS;
    a_tile[to] = Four(load0(first + i / GROUPS, params.q + group));
    b_tile[to] = Four(load1(first + i / GROUPS, group));
  }
  if (me.index < BLOCK) {
    var span = vec4u(0);
    if (first + me.index < params.tokens) { span = intervals[first + me.index]; }
    spans[me.index] = span;
  }
  let all = reach(me.index);
  let span = spans[at.y];

  var part_of_delta = 0.0;
  for (var g = at.x; g < GROUPS; g += BLOCK) {
    part_of_delta += dot(vec4f(b_tile[g * STRIDE + at.y]), load2(row, head * GROUPS + g));
  }
  let delta = row_sum(part_of_delta, at, team);
  let lse = load3(row, head).x;

  var dq0 = vec4f(0);
  var dq1 = vec4f(0);
  for (var part = 0u; part < 2; part++) {
    let walk = select(all.xy, all.zw, part == 1);
    let seen = select(span.xy, span.zw, part == 1);
    for (var start = walk.x; start < walk.y; start += BLOCK) {
      stage_qkv(me.index, start, walk.y, params.v + kv);
      workgroupBarrier();
      let d_weight = dot_bc(at.y, at.x);
      workgroupBarrier();
      stage_qkv(me.index, start, walk.y, params.k + kv);
      workgroupBarrier();
      let visible = start + at.x >= seen.x && start + at.x < seen.y;
      let p = select(0.0, exp(params.scale * dot_ac(at.y, at.x) - lse), visible);
      let d_score = p * (d_weight - delta);
      put(d_score, at, team);
      row_barrier(team);
      let d_scores = row_of(d_score, at, team);
      if (at.x < GROUPS) { dq0 += weighted(d_scores, at.x); }
      if (at.x + BLOCK < GROUPS) { dq1 += weighted(d_scores, at.x + BLOCK); }
      workgroupBarrier();
    }
  }
  if (row >= params.tokens) { return; }
  let column = params.q + head * GROUPS;
  if (at.x < GROUPS) { store0(row, column + at.x, dq0 * params.scale); }
  if (at.x + BLOCK < GROUPS) { store0(row, column + at.x + BLOCK, dq1 * params.scale); }
  if (at.x == 0) { store1(row, head, vec4f(lse, delta, 0, 0)); }
}

// qkv = in0, dO = in1, (log-sum-exp, dO . o) = in2 -> k and v columns of dQKV = out0. A workgroup holds 16 keys of one
// key-value head and walks over the queries that see any of them.
@compute @workgroup_size(256) fn attention_shared_dkv(me: Member, @builtin(workgroup_id) workgroup: vec3u) {
  let first = workgroup.x * BLOCK;
  let kv_head = workgroup.y;
  let team = team_of(me);
  let at = place_of(me);
  for (var i = me.index; i < GROUPS * BLOCK; i += THREADS) {
    let to = i % GROUPS * STRIDE + i / GROUPS;
    let group = kv_head * GROUPS + i % GROUPS;
    a_tile[to] = Four(load0(first + i / GROUPS, params.k + group));
    b_tile[to] = Four(load0(first + i / GROUPS, params.v + group));
  }
  if (me.index < BLOCK) {
    var span = vec2u(0);
    if (first + me.index < params.tokens) { span = viewers[first + me.index]; }
    spans[me.index] = vec4u(span, 0, 0);
  }
  let all = reach(me.index);
  let seen = spans[at.y];

  var dk0 = vec4f(0);
  var dk1 = vec4f(0);
  var dv0 = vec4f(0);
  var dv1 = vec4f(0);
  for (var h = 0u; h < params.heads_per_kv; h++) {
    let head = kv_head * params.heads_per_kv + h;
    let column = head * GROUPS;
    for (var start = all.x; start < all.y; start += BLOCK) {
      stage_qkv(me.index, start, all.y, params.q + column);
      workgroupBarrier();
      let row_stats = load2(start + at.x, head);
      let visible = start + at.x >= seen.x && start + at.x < seen.y;
      let p = select(0.0, exp(params.scale * dot_ac(at.y, at.x) - row_stats.x), visible);
      put(p, at, team);
      workgroupBarrier();
      stage_d_o(me.index, start, all.y, column);
      workgroupBarrier();
      let d_score = p * (dot_bc(at.y, at.x) - row_stats.y);
      let row = row_of(p, at, team);
      if (at.x < GROUPS) { dv0 += weighted(row, at.x); }
      if (at.x + BLOCK < GROUPS) { dv1 += weighted(row, at.x + BLOCK); }
      workgroupBarrier();
      stage_qkv(me.index, start, all.y, params.q + column);
      put(d_score, at, team);
      workgroupBarrier();
      let d_scores = row_of(d_score, at, team);
      if (at.x < GROUPS) { dk0 += weighted(d_scores, at.x); }
      if (at.x + BLOCK < GROUPS) { dk1 += weighted(d_scores, at.x + BLOCK); }
      workgroupBarrier();
    }
  }
  let row = first + at.y;
  if (row >= params.tokens) { return; }
  let k = params.k + kv_head * GROUPS;
  let v = params.v + kv_head * GROUPS;
  if (at.x < GROUPS) {
    store0(row, k + at.x, dk0 * params.scale);
    store0(row, v + at.x, dv0);
  }
  if (at.x + BLOCK < GROUPS) {
    store0(row, k + at.x + BLOCK, dk1 * params.scale);
    store0(row, v + at.x + BLOCK, dv1);
  }
}

// Packed tree attention for GPUs: a workgroup of 256 holds 16 queries of one head and walks over the keys that any of
// them sees, 16 at a time in workgroup memory. An invocation is one (query, key) pair while scores are computed, and one
// (query, group of columns) while values are summed. Same operands as attention.wgsl.
struct Params {
  queries: u32, heads: u32, heads_per_kv: u32,
  q: u32,                          // first group of the query columns
  k_first: u32, v_first: u32,      // first groups of keys and values in the matrix of the first interval
  k_second: u32, v_second: u32,    // and of the second
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Per query (start, end) of the first interval and (start, end) of the second.
@group(0) @binding(10) var<storage, read> intervals: array<vec4u>;

fn key(part: u32, row: u32, group: u32) -> vec4f {
  if (part == 0) { return load1(row, params.k_first + group); }
  return load2(row, params.k_second + group);
}
fn value(part: u32, row: u32, group: u32) -> vec4f {
  if (part == 0) { return load1(row, params.v_first + group); }
  return load2(row, params.v_second + group);
}

// q (Tq, ..) = in0, keys and values of the first interval = in1, of the second = in2
// -> o (Tq, heads * headDim) = out0, (log-sum-exp, 0, 0, 0) a head = out1. A query that sees nothing gets 0.
@compute @workgroup_size(256) fn attention_shared(me: Member, @builtin(workgroup_id) workgroup: vec3u) {
  let first = workgroup.x * BLOCK;
  let head = workgroup.y;
  let kv = (head / params.heads_per_kv) * GROUPS;
  let team = team_of(me);
  let at = place_of(me);
  for (var i = me.index; i < GROUPS * BLOCK; i += THREADS) {
    a_tile[i % GROUPS * STRIDE + i / GROUPS] = Four(load0(first + i / GROUPS, params.q + head * GROUPS + i % GROUPS));
  }
  if (me.index < BLOCK) {
    var span = vec4u(0);
    if (first + me.index < params.queries) { span = intervals[first + me.index]; }
    spans[me.index] = span;
  }
  let all = reach(me.index);
  let span = spans[at.y];

  var o0 = vec4f(0); // columns of group x
  var o1 = vec4f(0); // and of group x + 16, where heads are that wide
  var top = -1e30;
  var mine = 0.0; // of the total: keys at x
  for (var part = 0u; part < 2; part++) {
    let walk = select(all.xy, all.zw, part == 1);
    let seen = select(span.xy, span.zw, part == 1);
    for (var start = walk.x; start < walk.y; start += BLOCK) {
      for (var i = me.index; i < GROUPS * BLOCK; i += THREADS) {
        let row = start + i / GROUPS;
        let to = i % GROUPS * STRIDE + i / GROUPS;
        var k = vec4f(0);
        var v = vec4f(0);
        if (row < walk.y) {
          k = key(part, row, kv + i % GROUPS);
          v = value(part, row, kv + i % GROUPS);
        }
        b_tile[to] = Four(k);
        c_tile[to] = Four(v);
      }
      workgroupBarrier();
      let score = params.scale * dot_ab(at.y, at.x);
      let visible = start + at.x >= seen.x && start + at.x < seen.y;
      let next = max(top, row_max(select(-1e30, score, visible), at, team));
      let p = select(0.0, exp(score - next), visible);
      put(p, at, team);
      row_barrier(team);
      let keep = exp(top - next);
      top = next;
      mine = mine * keep + p;
      let row = row_of(p, at, team);
      o0 *= keep;
      o1 *= keep;
      if (at.x < GROUPS) { o0 += weighted(row, at.x); }
      if (at.x + BLOCK < GROUPS) { o1 += weighted(row, at.x + BLOCK); }
      workgroupBarrier();
    }
  }
  let total = row_sum(mine, at, team);
  let row = first + at.y;
  if (row >= params.queries) { return; }
  let share = select(0.0, 1 / total, total > 0);
  if (at.x < GROUPS) { store0(row, head * GROUPS + at.x, o0 * share); }
  if (at.x + BLOCK < GROUPS) { store0(row, head * GROUPS + at.x + BLOCK, o1 * share); }
  if (at.x == 0) { store1(row, head, vec4f(select(0.0, top + log(total), total > 0), 0, 0, 0)); }
}

// Packed tree attention like attention.wgsl with two or four neighbouring queries an invocation, which share the loads of
// keys and values. Lines that name more rows than a variant has are left out before the file is compiled.
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

// see() of a key that may be hidden.
fn see_visible(r: Running, visible: bool, score: f32, v: Head) -> Running {
  let rise = select(-1.0, score - r.top, visible);
  let e = exp(-abs(rise));
  let keep = select(1.0, e, rise > 0);
  let p = select(0.0, select(e, 1.0, rise > 0), visible);
  return Running(head_mix(r.o, keep, v, p), select(r.top, max(r.top, score), visible), r.total * keep + p);
}

fn finish(row: u32, head: u32, r: Running) {
  let seen = r.total > 0;
  store_head0(row, head * GROUPS, head_scale(r.o, select(0.0, 1 / r.total, seen)));
  store1(row, head, vec4f(select(0.0, r.top + log(r.total), seen), 0, 0, 0));
}

fn spans(row: u32) -> vec4u {
  if (row >= params.queries) { return vec4u(0); }
  return intervals[row];
}

fn query(row: u32, head: u32) -> Head { return head_scale(head0(row, params.q + head * GROUPS), params.scale); }

// q = in0, keys and values of the first interval = in1, of the second = in2 -> o = out0, log-sum-exp = out1
@compute @workgroup_size(8) fn attention(@builtin(global_invocation_id) id: vec3u) {
  let row = ROWS * id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let kv = (head / params.heads_per_kv) * GROUPS;
  let a = spans(row);
  let b = spans(row + 1);
  let c = spans(row + 2); // ROWS > 2
  let d = spans(row + 3); // ROWS > 2
  let qa = query(row, head);
  let qb = query(row + 1, head);
  let qc = query(row + 2, head); // ROWS > 2
  let qd = query(row + 3, head); // ROWS > 2
  var ra = unseen();
  var rb = unseen();
  var rc = unseen(); // ROWS > 2
  var rd = unseen(); // ROWS > 2
  var first = either(a.xy, b.xy);
  first = either(first, either(c.xy, d.xy)); // ROWS > 2
  for (var j = first.x; j < first.y; j++) {
    let k = head1(j, params.k_first + kv);
    let v = head1(j, params.v_first + kv);
    ra = see_visible(ra, inside(j, a.xy), head_dot(qa, k), v);
    rb = see_visible(rb, inside(j, b.xy), head_dot(qb, k), v);
    rc = see_visible(rc, inside(j, c.xy), head_dot(qc, k), v); // ROWS > 2
    rd = see_visible(rd, inside(j, d.xy), head_dot(qd, k), v); // ROWS > 2
  }
  var second = either(a.zw, b.zw);
  second = either(second, either(c.zw, d.zw)); // ROWS > 2
  for (var j = second.x; j < second.y; j++) {
    let k = head2(j, params.k_second + kv);
    let v = head2(j, params.v_second + kv);
    ra = see_visible(ra, inside(j, a.zw), head_dot(qa, k), v);
    rb = see_visible(rb, inside(j, b.zw), head_dot(qb, k), v);
    rc = see_visible(rc, inside(j, c.zw), head_dot(qc, k), v); // ROWS > 2
    rd = see_visible(rd, inside(j, d.zw), head_dot(qd, k), v); // ROWS > 2
  }
  finish(row, head, ra);
  finish(row + 1, head, rb);
  finish(row + 2, head, rc); // ROWS > 2
  finish(row + 3, head, rd); // ROWS > 2
}

// Sums and maxima over the invocations of a workgroup, which serves one row, through its subgroups: whatever their
// size, and whichever invocations they hold. All invocations must call these, with the same results for all.
override TEAM: u32 = 32; // invocations of the workgroup

// In the workgroup, in the subgroup, lanes of that.
struct Member {
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
}

// The row, or whatever else, that a workgroup serves.
fn team_row(workgroup: vec3u, count: vec3u) -> u32 { return workgroup.y * count.x + workgroup.x; }

// What the subgroups have, at the index of their first lane; the neutral element elsewhere.
var<workgroup> parts: array<vec4f, TEAM>;

fn team_sum(value: vec4f, me: Member) -> vec4f {
  let own = subgroupAdd(value);
  workgroupBarrier(); // parts of the call before may still be read
  parts[me.index] = select(vec4f(0), own, me.lane == 0);
  workgroupBarrier();
  var all = vec4f(0);
  for (var i = me.lane; i < TEAM; i += me.lanes) { all += parts[i]; }
  return subgroupAdd(all);
}

// Finite, so that an empty start merges without inf - inf.
const LOWEST = -3.4e38;

fn team_max(value: f32, me: Member) -> f32 {
  let own = subgroupMax(value);
  workgroupBarrier();
  parts[me.index] = select(vec4f(LOWEST), vec4f(own), me.lane == 0);
  workgroupBarrier();
  var all = LOWEST;
  for (var i = me.lane; i < TEAM; i += me.lanes) { all = max(all, parts[i].x); }
  return subgroupMax(all);
}

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn columns_of(group: u32) -> vec4u { return group * 4 + vec4u(0, 1, 2, 3); }

// Exponentials of some of a row's numbers, summed: exps is relative to top.
struct Exponentials { top: vec4f, exps: vec4f }

fn no_exponentials() -> Exponentials { return Exponentials(vec4f(LOWEST), vec4f(0)); }

fn with_four(old: Exponentials, z: vec4f, inside: vec4<bool>) -> Exponentials {
  let top = max(old.top, select(vec4f(LOWEST), z, inside));
  return Exponentials(top, old.exps * exp(old.top - top) + select(vec4f(0), exp(z - top), inside));
}

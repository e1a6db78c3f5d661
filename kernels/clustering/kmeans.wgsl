// k-means: nearest centre of each point, means of the members, and the k-means++ start. Distances are sums of (x - c)^2:
// |x|^2 - 2 x c + |c|^2 would cancel for points far from the origin.
struct AssignParams { points: u32, groups: u32, centres: u32 }
struct SumParams { centres: u32, groups: u32, add: u32 }
struct SeedParams { points: u32, groups: u32 }
@group(0) @binding(20) var<uniform> assign: AssignParams;
@group(0) @binding(20) var<uniform> sums: SumParams;
@group(0) @binding(20) var<uniform> seed: SeedParams;

const WORKGROUP = 8u;
const FAR = 3.4e38;

@group(0) @binding(10) var<storage, read_write> labels: array<u32>;
@group(0) @binding(11) var<storage, read_write> distances: array<f32>;

fn square(x: vec4f, c: vec4f) -> f32 { let e = x - c; return dot(e, e); }
fn squares(x: vec4f, c0: vec4f, c1: vec4f, c2: vec4f, c3: vec4f) -> vec4f {
  return vec4f(square(x, c0), square(x, c1), square(x, c2), square(x, c3));
}

struct Nearest { distance: f32, label: u32 }
// Strictly nearer wins, so of equal centres the first.
fn nearer(best: Nearest, d: vec4f, label: u32) -> Nearest {
  var b = best;
  if (d.x < b.distance) { b = Nearest(d.x, label); }
  if (d.y < b.distance) { b = Nearest(d.y, label + 1); }
  if (d.z < b.distance) { b = Nearest(d.z, label + 2); }
  if (d.w < b.distance) { b = Nearest(d.w, label + 3); }
  return b;
}

fn keep(point: u32, best: Nearest) {
  if (point >= assign.points) { return; }
  labels[point] = best.label;
  distances[point] = best.distance;
}

// points (N, D) = in0, centres (K, D) = in1 -> labels (N), distances (N), squared. Four points by four centres a turn.
@compute @workgroup_size(WORKGROUP) fn kmeans_assign(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 4;
  if (first >= assign.points) { return; }
  var best0 = Nearest(FAR, 0); var best1 = Nearest(FAR, 0); var best2 = Nearest(FAR, 0); var best3 = Nearest(FAR, 0);
  for (var k = 0u; k < assign.centres; k += 4) {
    var d0 = vec4f(0); var d1 = vec4f(0); var d2 = vec4f(0); var d3 = vec4f(0);
    for (var g = 0u; g < assign.groups; g++) {
      let c0 = load1(k, g); let c1 = load1(k + 1, g); let c2 = load1(k + 2, g); let c3 = load1(k + 3, g);
      d0 += squares(load0(first, g), c0, c1, c2, c3);
      d1 += squares(load0(first + 1, g), c0, c1, c2, c3);
      d2 += squares(load0(first + 2, g), c0, c1, c2, c3);
      d3 += squares(load0(first + 3, g), c0, c1, c2, c3);
    }
    let absent = k + vec4u(0, 1, 2, 3) >= vec4u(assign.centres);
    best0 = nearer(best0, select(d0, vec4f(FAR), absent), k);
    best1 = nearer(best1, select(d1, vec4f(FAR), absent), k);
    best2 = nearer(best2, select(d2, vec4f(FAR), absent), k);
    best3 = nearer(best3, select(d3, vec4f(FAR), absent), k);
  }
  keep(first, best0); keep(first + 1, best1); keep(first + 2, best2); keep(first + 3, best3);
}

@group(0) @binding(10) var<storage, read> offsets: array<u32>;
@group(0) @binding(11) var<storage, read> members: array<u32>;
@group(0) @binding(12) var<storage, read_write> drift: array<vec4f>;

// points (N, D) = in0, centres (K, D) = in1, offsets (K + 1), members (N) -> drift (K, D): sum of point - centre over
// the members. Sums of small differences keep the digits that sums of points would lose.
@compute @workgroup_size(16, 8) fn kmeans_sum(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sums.groups || id.y >= sums.centres) { return; }
  let at = id.y * sums.groups + id.x;
  let centre = load1(id.y, id.x);
  var sum = vec4f(0);
  if (sums.add != 0) { sum = drift[at]; }
  for (var i = offsets[id.y]; i < offsets[id.y + 1]; i++) { sum += load0(members[i], id.x) - centre; }
  drift[at] = sum;
}

@group(0) @binding(10) var<storage, read> summed: array<vec4f>;
@group(0) @binding(11) var<storage, read> counts: array<u32>;

// centres (K, D) = in0, summed (K, D), counts (K) -> means (K, D) = out0; a centre without members stays.
@compute @workgroup_size(16, 8) fn kmeans_mean(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sums.groups || id.y >= sums.centres) { return; }
  let members_here = f32(max(counts[id.y], 1));
  store0(id.y, id.x, load0(id.y, id.x) + summed[id.y * sums.groups + id.x] / members_here);
}

// Number of points chosen so far, then their rows.
@group(0) @binding(10) var<storage, read_write> chosen: array<u32>;
@group(0) @binding(11) var<storage, read_write> weights: array<f32>;
@group(0) @binding(12) var<storage, read> uniforms: array<f32>;

const PICKERS = 64u;
var<workgroup> parts: array<f32, PICKERS>;

// weights (N), uniforms (K) -> one more chosen row, drawn with probability proportional to its weight.
@compute @workgroup_size(PICKERS) fn kmeans_pick(@builtin(local_invocation_index) lane: u32) {
  let span = (seed.points + PICKERS - 1) / PICKERS;
  let end = min(lane * span + span, seed.points);
  var own = 0.0;
  for (var i = lane * span; i < end; i++) { own += weights[i]; }
  parts[lane] = own;
  workgroupBarrier();
  if (lane != 0) { return; }
  var total = 0.0;
  for (var i = 0u; i < PICKERS; i++) { total += parts[i]; }
  let round = chosen[0];
  // Where every point is chosen or equals one that is, any will do.
  var row = round % seed.points;
  if (total > 0) {
    var left = uniforms[round] * total;
    var part = 0u;
    while (part + 1 < PICKERS && left >= parts[part]) { left -= parts[part]; part++; }
    // Rounding can run past the last weight: then the last point that has one is meant.
    var found = false;
    for (var i = part * span; i < seed.points && !found; i++) {
      if (weights[i] > 0) { row = i; found = left < weights[i]; left -= weights[i]; }
    }
  }
  chosen[round + 1] = row;
  chosen[0] = round + 1;
}

// points (N, D) = in0, last chosen row -> weights (N): squared distance to the nearest chosen point.
@compute @workgroup_size(WORKGROUP) fn kmeans_distance(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= seed.points) { return; }
  let round = chosen[0];
  let centre = chosen[round];
  var squared = 0.0;
  for (var g = 0u; g < seed.groups; g++) { squared += square(load0(row, g), load0(centre, g)); }
  if (round > 1) { squared = min(squared, weights[row]); }
  weights[row] = squared;
}

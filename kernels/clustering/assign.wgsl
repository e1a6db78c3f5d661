// Nearest centre of each point. |x - c|^2 = |c - o|^2 - 2 (c - o) (x - o) + |x - o|^2 is a product of matrices, where the
// last term is the same for all centres. The origin o is the first centre: among the points little cancels.
struct TurnParams { centres: u32, groups: u32 }
struct AssignParams { points: u32, groups: u32, centres: u32, first: u32, block: u32 }
@group(0) @binding(20) var<uniform> turn: TurnParams;
@group(0) @binding(20) var<uniform> assign: AssignParams;

const WORKGROUP = 8u;
const FAR = 3.4e38;

// Four coordinates of four centres, seen from the origin.
fn four_centres(first: u32, g: u32) -> mat4x4f {
  let origin = load0(0, g);
  return mat4x4f(
    load0(first, g) - origin, load0(first + 1, g) - origin, load0(first + 2, g) - origin, load0(first + 3, g) - origin,
  );
}

// centres (K, D) = in0 -> -2 (c - o)^T (D, K) = out0, |c - o|^2 (1, K) = out1. Four centres an invocation.
@compute @workgroup_size(WORKGROUP) fn kmeans_turn(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let four = linear_index(id, count, WORKGROUP);
  if (four * 4 >= turn.centres) { return; }
  var squares = vec4f(0);
  for (var g = 0u; g < turn.groups; g++) {
    let turned = transpose(four_centres(four * 4, g));
    for (var d = 0u; d < 4; d++) {
      let row = turned[d];
      squares += row * row;
      store0(g * 4 + d, four, -2 * row);
    }
  }
  let absent = four * 4 + vec4u(0, 1, 2, 3) >= vec4u(turn.centres);
  store1(0, four, select(squares, vec4f(FAR), absent));
}

// Of four points: the nearest centre, and the next one where it is asked for.
struct Nearest { distances: vec4f, labels: vec4u, next_distances: vec4f, next_labels: vec4u }

// Strictly nearer wins, so of equal centres the first. Columns of `products` are points, rows centres from `k` on.
fn nearer(best: Nearest, products: mat4x4f, squares: vec4f, k: u32, with_next: bool) -> Nearest {
  let by_centre = transpose(products);
  var b = best;
  for (var i = 0u; i < 4; i++) {
    let d = by_centre[i] + squares[i];
    let is_nearer = d < b.distances;
    if (with_next) {
      let is_next = d < b.next_distances;
      b.next_labels = select(select(b.next_labels, vec4u(k + i), is_next), b.labels, is_nearer);
      b.next_distances = select(select(b.next_distances, d, is_next), b.distances, is_nearer);
    }
    b.distances = select(b.distances, d, is_nearer);
    b.labels = select(b.labels, vec4u(k + i), is_nearer);
  }
  return b;
}

fn four_points(rows: vec4u, g: u32, origin: vec4f) -> mat4x4f {
  return mat4x4f(
    load0(rows.x, g) - origin, load0(rows.y, g) - origin, load0(rows.z, g) - origin, load0(rows.w, g) - origin,
  );
}

fn turned_rows(g: u32, group: u32) -> mat4x4f {
  return mat4x4f(load1(4 * g, group), load1(4 * g + 1, group), load1(4 * g + 2, group), load1(4 * g + 3, group));
}

struct Eight { a: Nearest, b: Nearest }

// Eight points by sixteen centres a turn: all invocations read the same centres, but rows of their own, which are read
// half as often as with sixteen points by eight centres.
fn nearest_of(r0: vec4u, r1: vec4u, with_next: bool) -> Eight {
  let none = Nearest(vec4f(FAR), vec4u(0), vec4f(FAR), vec4u(0));
  var best = Eight(none, none);
  for (var k = 0u; k < assign.centres; k += 16) {
    var c00 = mat4x4f(); var c10 = mat4x4f();
    var c01 = mat4x4f(); var c11 = mat4x4f();
    var c02 = mat4x4f(); var c12 = mat4x4f();
    var c03 = mat4x4f(); var c13 = mat4x4f();
    let group = k / 4;
    for (var g = 0u; g < assign.groups; g++) {
      let origin = load3(0, g);
      let a0 = four_points(r0, g, origin);
      let a1 = four_points(r1, g, origin);
      let b0 = turned_rows(g, group);
      c00 += b0 * a0; c10 += b0 * a1;
      let b1 = turned_rows(g, group + 1);
      c01 += b1 * a0; c11 += b1 * a1;
      let b2 = turned_rows(g, group + 2);
      c02 += b2 * a0; c12 += b2 * a1;
      let b3 = turned_rows(g, group + 3);
      c03 += b3 * a0; c13 += b3 * a1;
    }
    let s0 = squares_of(group);
    let s1 = squares_of(group + 1);
    let s2 = squares_of(group + 2);
    let s3 = squares_of(group + 3);
    best.a = nearer(nearer(best.a, c00, s0, k, with_next), c01, s1, k + 4, with_next);
    best.a = nearer(nearer(best.a, c02, s2, k + 8, with_next), c03, s3, k + 12, with_next);
    best.b = nearer(nearer(best.b, c10, s0, k, with_next), c11, s1, k + 4, with_next);
    best.b = nearer(nearer(best.b, c12, s2, k + 8, with_next), c13, s3, k + 12, with_next);
  }
  return best;
}

// Past the last centre a buffer has other values.
fn squares_of(group: u32) -> vec4f { return select(vec4f(FAR), load2(0, group), group * 4 < assign.centres); }

fn square(x: vec4f, c: vec4f) -> f32 { let e = x - c; return dot(e, e); }

// Squared distances of points to a centre each, as sums of (x - c)^2, in which nothing cancels.
fn distances_to(rows: vec4u, labels: vec4u) -> vec4f {
  var sum = vec4f(0);
  for (var g = 0u; g < assign.groups; g++) {
    sum += vec4f(
      square(load0(rows.x, g), load3(labels.x, g)),
      square(load0(rows.y, g), load3(labels.y, g)),
      square(load0(rows.z, g), load3(labels.z, g)),
      square(load0(rows.w, g), load3(labels.w, g)),
    );
  }
  return sum;
}

@group(0) @binding(10) var<storage, read_write> labels: array<u32>;
@group(0) @binding(11) var<storage, read_write> distances: array<f32>;

fn keep(rows: vec4u, best: Nearest) {
  let own = distances_to(rows, best.labels);
  for (var i = 0u; i < 4; i++) {
    if (rows[i] >= assign.points) { return; }
    labels[assign.first + rows[i]] = best.labels[i];
    distances[assign.first + rows[i]] = own[i];
  }
}

// points (N, D) = in0, -2 (c - o)^T (D, K) = in1, |c - o|^2 (1, K) = in2, centres (K, D) = in3 -> labels (N), distances
// (N), squared, both from `first` on.
@compute @workgroup_size(WORKGROUP) fn kmeans_assign(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 8;
  if (first >= assign.points) { return; }
  let r0 = first + vec4u(0, 1, 2, 3);
  let best = nearest_of(r0, r0 + 4, false);
  keep(r0, best.a); keep(r0 + 4, best.b);
}

// Room for rounding in a bound, as a share of it.
const SAFE = 0.9999;

// Points whose own centre is certainly the nearest keep it without a look at the others (Hamerly 2010, Making k-means even
// faster): their distance to the next one was at least `lower` and has shrunk by no more than a centre moved.
struct Moves { most: f32, second: f32, fastest: u32, unused: u32 }
struct Control { done: u32, iteration: u32 }
@group(0) @binding(12) var<storage, read_write> lower: array<f32>;
@group(0) @binding(13) var<storage, read> control: Control;
@group(0) @binding(14) var<storage, read> moves: Moves;

// points (N, D) = in0, centres (K, D) = in3, labels (N), lower (N) -> distances (N) to the centres of the labels, lower (N):
// bounds now, -1 where the nearest centre has to be looked for.
@compute @workgroup_size(WORKGROUP) fn kmeans_bound(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 4;
  if (control.done != 0 || first >= assign.points) { return; }
  let rows = first + vec4u(0, 1, 2, 3);
  if (control.iteration == 0) {
    for (var i = 0u; i < 4 && rows[i] < assign.points; i++) { lower[assign.first + rows[i]] = -1; }
    return;
  }
  var own_labels = vec4u(0);
  for (var i = 0u; i < 4 && rows[i] < assign.points; i++) { own_labels[i] = labels[assign.first + rows[i]]; }
  let own = distances_to(rows, own_labels);
  for (var i = 0u; i < 4 && rows[i] < assign.points; i++) {
    let at = assign.first + rows[i];
    let bound = lower[at] - select(moves.most, moves.second, own_labels[i] == moves.fastest);
    lower[at] = select(-1, bound, sqrt(own[i]) < bound);
    distances[at] = own[i];
  }
}

@group(0) @binding(14) var<storage, read> wanted: array<u32>;
@group(0) @binding(15) var<storage, read> wanted_counts: array<u32>;

fn keep_with_next(place: u32, rows: vec4u, best: Nearest) {
  let own = distances_to(rows, best.labels);
  let next = distances_to(rows, best.next_labels);
  for (var i = 0u; i < 4; i++) {
    if (place + i >= wanted_counts[assign.block]) { return; }
    let at = assign.first + rows[i];
    labels[at] = best.labels[i];
    distances[at] = own[i];
    lower[at] = select(sqrt(next[i]) * SAFE, FAR, assign.centres == 1);
  }
}

fn wanted_rows(place: u32) -> vec4u {
  // Past the last one it is that one again.
  let last = wanted_counts[assign.block] - 1;
  let at = assign.first + min(place + vec4u(0, 1, 2, 3), vec4u(last));
  return vec4u(wanted[at.x], wanted[at.y], wanted[at.z], wanted[at.w]);
}

// As kmeans_assign for the rows that `wanted` (N) names, as many as wanted_counts (blocks) says; lower (N) is the distance
// to the next centre.
@compute @workgroup_size(WORKGROUP) fn kmeans_assign_wanted(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 8;
  if (control.done != 0 || first >= wanted_counts[assign.block]) { return; }
  let r0 = wanted_rows(first);
  let r1 = wanted_rows(first + 4);
  let best = nearest_of(r0, r1, true);
  keep_with_next(first, r0, best.a); keep_with_next(first + 4, r1, best.b);
}

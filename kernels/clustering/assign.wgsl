// Nearest centre of each point. |x - c|^2 = |c - o|^2 - 2 (c - o) (x - o) + |x - o|^2 is a product of matrices, where the
// last term is the same for all centres. The origin o is the first centre: among the points little cancels.
struct TurnParams { centres: u32, groups: u32 }
struct AssignParams { points: u32, groups: u32, centres: u32, first: u32 }
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

// Of four points.
struct Nearest { distances: vec4f, labels: vec4u }

// Strictly nearer wins, so of equal centres the first. Columns of `products` are points, rows centres from `k` on.
fn nearer(best: Nearest, products: mat4x4f, squares: vec4f, k: u32) -> Nearest {
  let by_centre = transpose(products);
  var b = best;
  for (var i = 0u; i < 4; i++) {
    let d = by_centre[i] + squares[i];
    let is_nearer = d < b.distances;
    b.distances = select(b.distances, d, is_nearer);
    b.labels = select(b.labels, vec4u(k + i), is_nearer);
  }
  return b;
}

fn four_points(row: u32, g: u32, origin: vec4f) -> mat4x4f {
  return mat4x4f(load0(row, g) - origin, load0(row + 1, g) - origin, load0(row + 2, g) - origin, load0(row + 3, g) - origin);
}

fn turned_rows(g: u32, group: u32) -> mat4x4f {
  return mat4x4f(load1(4 * g, group), load1(4 * g + 1, group), load1(4 * g + 2, group), load1(4 * g + 3, group));
}

@group(0) @binding(10) var<storage, read_write> labels: array<u32>;
@group(0) @binding(11) var<storage, read_write> distances: array<f32>;

fn square(x: vec4f, c: vec4f) -> f32 { let e = x - c; return dot(e, e); }

// Keeps the labels of four points, with the distances as sums of (x - c)^2, in which nothing cancels.
fn keep(row: u32, best: Nearest) {
  var own = vec4f(0);
  for (var g = 0u; g < assign.groups; g++) {
    own += vec4f(
      square(load0(row, g), load3(best.labels.x, g)),
      square(load0(row + 1, g), load3(best.labels.y, g)),
      square(load0(row + 2, g), load3(best.labels.z, g)),
      square(load0(row + 3, g), load3(best.labels.w, g)),
    );
  }
  for (var i = 0u; i < 4; i++) {
    if (row + i >= assign.points) { return; }
    labels[assign.first + row + i] = best.labels[i];
    distances[assign.first + row + i] = own[i];
  }
}

// Sixteen points by eight centres a turn.
fn nearest_of(first: u32) {
  var best0 = Nearest(vec4f(FAR), vec4u(0)); var best1 = best0; var best2 = best0; var best3 = best0;
  for (var k = 0u; k < assign.centres; k += 8) {
    var c00 = mat4x4f(); var c10 = mat4x4f(); var c20 = mat4x4f(); var c30 = mat4x4f();
    var c01 = mat4x4f(); var c11 = mat4x4f(); var c21 = mat4x4f(); var c31 = mat4x4f();
    let group = k / 4;
    for (var g = 0u; g < assign.groups; g++) {
      let b0 = turned_rows(g, group);
      let b1 = turned_rows(g, group + 1);
      let origin = load3(0, g);
      let a0 = four_points(first, g, origin);
      let a1 = four_points(first + 4, g, origin);
      let a2 = four_points(first + 8, g, origin);
      let a3 = four_points(first + 12, g, origin);
      c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
      c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
    }
    let s0 = load2(0, group);
    // The second four may be past the last centre, where a buffer has other values.
    let s1 = select(vec4f(FAR), load2(0, group + 1), k + 4 < assign.centres);
    best0 = nearer(nearer(best0, c00, s0, k), c01, s1, k + 4);
    best1 = nearer(nearer(best1, c10, s0, k), c11, s1, k + 4);
    best2 = nearer(nearer(best2, c20, s0, k), c21, s1, k + 4);
    best3 = nearer(nearer(best3, c30, s0, k), c31, s1, k + 4);
  }
  keep(first, best0); keep(first + 4, best1); keep(first + 8, best2); keep(first + 12, best3);
}

// points (N, D) = in0, -2 (c - o)^T (D, K) = in1, |c - o|^2 (1, K) = in2, centres (K, D) = in3 -> labels (N), distances
// (N), squared, both from `first` on.
@compute @workgroup_size(WORKGROUP) fn kmeans_assign(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 16;
  if (first < assign.points) { nearest_of(first); }
}

@group(0) @binding(12) var<storage, read> control: array<u32>;

// The same, or nothing once control[0] is set.
@compute @workgroup_size(WORKGROUP) fn kmeans_assign_unless_done(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let first = linear_index(id, count, WORKGROUP) * 16;
  if (control[0] == 0 && first < assign.points) { nearest_of(first); }
}

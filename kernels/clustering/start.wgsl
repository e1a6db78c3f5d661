// k-means++ start: points drawn one by one by their squared distance to the nearest one drawn before, a sum of (x - c)^2.
struct SeedParams { points: u32, groups: u32 }
@group(0) @binding(20) var<uniform> seed: SeedParams;

const WORKGROUP = 8u;

fn square(x: vec4f, c: vec4f) -> f32 { let e = x - c; return dot(e, e); }

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

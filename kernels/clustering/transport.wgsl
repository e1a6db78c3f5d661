// A round of Sinkhorn's algorithm in the logarithm, without a word to the host: how the points share their mass of 1 out
// over the clusters at the present scalings (prices / epsilon), whether that is near enough to the capacities, and the
// next scalings where it is not. Every sum has a fixed order. A round that finds `done` set leaves everything as it is.
//
// Scalings are padded to sixteen with NOTHING, so that columns past the last one have no mass.
struct BlockParams { rows: u32, groups: u32, first_chunk: u32, inverse_epsilon: f32 }
struct SettleParams { chunks: u32, clusters: u32, tolerance: f32 }
@group(0) @binding(20) var<uniform> block: BlockParams;
@group(0) @binding(20) var<uniform> all: SettleParams;

override CHUNK: u32 = 256;
const WORKGROUP = 8u;
const LANES = 64u;
const LOWEST = -3.4e38;

// Exponentials, summed: exps is relative to top, the largest exponent.
struct Exponentials { top: vec4f, exps: vec4f }
fn none() -> Exponentials { return Exponentials(vec4f(LOWEST), vec4f(0)); }
fn with_four(old: Exponentials, z: mat4x4f) -> Exponentials {
  let top = max(old.top, max(max(z[0], z[1]), max(z[2], z[3])));
  let exps = (exp(z[0] - top) + exp(z[1] - top)) + (exp(z[2] - top) + exp(z[3] - top));
  return Exponentials(top, old.exps * exp(old.top - top) + exps);
}
fn both(a: Exponentials, b: Exponentials) -> Exponentials {
  let top = max(a.top, b.top);
  return Exponentials(top, a.exps * exp(a.top - top) + b.exps * exp(b.top - top));
}

@group(0) @binding(10) var<storage, read> done: u32;
@group(0) @binding(11) var<storage, read> scalings: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> log_sums: array<f32>;

fn exponent(row: u32, group: u32) -> vec4f { return scalings[group] - load0(row, group) * block.inverse_epsilon; }

// costs (rows, K) = in0, scalings (K) -> log_sums (rows): log of the sum of exp(scaling - cost / epsilon) over a row.
@compute @workgroup_size(WORKGROUP) fn transport_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (done != 0 || row >= block.rows) { return; }
  var sum = none();
  for (var g = 0u; g < block.groups; g += 4) {
    sum = with_four(sum, mat4x4f(exponent(row, g), exponent(row, g + 1), exponent(row, g + 2), exponent(row, g + 3)));
  }
  let tops = max(sum.top.xy, sum.top.zw);
  let top = max(tops.x, tops.y);
  log_sums[row] = top + log(dot(sum.exps, exp(sum.top - top)));
}

@group(0) @binding(12) var<storage, read> row_sums: array<f32>;
@group(0) @binding(13) var<storage, read_write> parts: array<Exponentials>;

// costs (rows, K) = in0, scalings (K), row_sums (rows) -> parts (chunks, K): the mass that a chunk of points has at each
// cluster, those of the block from `first_chunk` on.
@compute @workgroup_size(16, 4) fn transport_columns(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let first = id.y * CHUNK;
  if (done != 0 || group >= block.groups || first >= block.rows) { return; }
  let end = min(first + CHUNK, block.rows);
  var sum = none();
  for (var row = first; row < end; row += 4) {
    var z: mat4x4f;
    for (var i = 0u; i < 4; i++) {
      z[i] = select(vec4f(LOWEST), exponent(row + i, group) - row_sums[row + i], row + i < end);
    }
    sum = with_four(sum, z);
  }
  parts[(block.first_chunk + id.y) * block.groups + group] = sum;
}

@group(0) @binding(11) var<storage, read> chunk_parts: array<Exponentials>;
@group(0) @binding(12) var<storage, read_write> log_masses: array<vec4f>;

var<workgroup> sums: array<Exponentials, LANES>;

// chunk_parts (chunks, K) -> log_masses (K). A group of four clusters a workgroup.
@compute @workgroup_size(LANES) fn transport_masses(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.y * count.x + id.x;
  let groups = (all.clusters + 3) / 4;
  var sum = none();
  if (done == 0 && group < groups) {
    for (var chunk = lane; chunk < all.chunks; chunk += LANES) { sum = both(sum, chunk_parts[chunk * groups + group]); }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (done != 0 || group >= groups || lane != 0) { return; }
  for (var other = 1u; other < min(LANES, all.chunks); other++) { sum = both(sum, sums[other]); }
  log_masses[group] = sum.top + log(sum.exps);
}

@group(0) @binding(10) var<storage, read_write> decided: u32;
@group(0) @binding(11) var<storage, read> log_capacities: array<f32>;
@group(0) @binding(12) var<storage, read> found_masses: array<f32>;
@group(0) @binding(13) var<storage, read_write> next_scalings: array<f32>;

var<workgroup> is_done: u32;
var<workgroup> off: array<f32, LANES>;

// log_capacities (K), found_masses (K), next_scalings (K) -> done where no mass is off its capacity by more than the
// tolerance, next scalings elsewhere. One workgroup.
@compute @workgroup_size(LANES) fn transport_settle(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0) { is_done = decided; }
  if (workgroupUniformLoad(&is_done) != 0) { return; }
  var most = 0.0;
  for (var k = lane; k < all.clusters; k += LANES) { most = max(most, abs(exp(found_masses[k] - log_capacities[k]) - 1)); }
  off[lane] = most;
  workgroupBarrier();
  if (lane == 0) {
    for (var other = 1u; other < LANES; other++) { most = max(most, off[other]); }
    is_done = u32(most <= all.tolerance);
    decided = is_done;
  }
  if (workgroupUniformLoad(&is_done) != 0) { return; }
  for (var k = lane; k < all.clusters; k += LANES) { next_scalings[k] += log_capacities[k] - found_masses[k]; }
}

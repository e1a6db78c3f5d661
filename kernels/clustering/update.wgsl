// One round of Lloyd's algorithm after the assignment, without a word to the host: is it settled, who takes the empty
// clusters, which points belong to whom, and the means. Every sum has a fixed order. A round that finds `done` set leaves
// everything as it is, so that several can be recorded before anyone looks.
//
// Points come in chunks of `chunk` rows; blocks (the matrices they lie in) are whole chunks, but for the last one.
struct UpdateParams { points: u32, clusters: u32, chunk: u32, block_chunks: u32, iterations: u32, tolerance: f32 }
struct SumParams { clusters: u32, groups: u32, first: u32, block: u32 }
@group(0) @binding(20) var<uniform> params: UpdateParams;
@group(0) @binding(20) var<uniform> sums: SumParams;

const WORKGROUP = 8u;
// Distances added one by one: a chunk's sum is one of such sums, which keeps its last digits.
const RUN = 32u;

struct Control { done: u32, iteration: u32 }

@group(0) @binding(10) var<storage, read> control: Control;
@group(0) @binding(11) var<storage, read> lower: array<f32>;
@group(0) @binding(12) var<storage, read_write> wanted_counts: array<u32>;
@group(0) @binding(13) var<storage, read_write> wanted: array<u32>;

// Points whose nearest centre has to be looked for, a chunk's one after the other. lower (N) -> wanted_counts (chunks).
@compute @workgroup_size(WORKGROUP) fn kmeans_want(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let chunk = linear_index(id, count, WORKGROUP);
  let first = chunk * params.chunk;
  if (control.done != 0 || first >= params.points) { return; }
  var found = 0u;
  for (var i = first; i < min(first + params.chunk, params.points); i++) { found += u32(lower[i] < 0); }
  wanted_counts[chunk] = found;
}

@group(0) @binding(12) var<storage, read> found_counts: array<u32>;
@group(0) @binding(14) var<storage, read_write> block_counts: array<u32>;

// lower (N), found_counts (chunks) -> wanted (N): rows in their block, ascending, from the block's first on, and how many
// of each block, block_counts (blocks).
@compute @workgroup_size(WORKGROUP) fn kmeans_collect(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let chunk = linear_index(id, count, WORKGROUP);
  let first = chunk * params.chunk;
  if (control.done != 0 || first >= params.points) { return; }
  let number = chunk / params.block_chunks;
  let block = number * params.block_chunks * params.chunk;
  var place = block;
  for (var before = number * params.block_chunks; before < chunk; before++) { place += found_counts[before]; }
  let end = min(first + params.chunk, params.points);
  for (var i = first; i < end; i++) {
    if (lower[i] < 0) { wanted[place] = i - block; place++; }
  }
  if (end == params.points || (chunk + 1) % params.block_chunks == 0) { block_counts[number] = place - block; }
}

@group(0) @binding(11) var<storage, read> labels: array<u32>;
@group(0) @binding(12) var<storage, read> distances: array<f32>;
@group(0) @binding(13) var<storage, read_write> used: array<u32>;
@group(0) @binding(14) var<storage, read_write> histogram: array<u32>;
@group(0) @binding(15) var<storage, read_write> parts: array<vec2f>;

// labels (N), distances (N) -> used (N) = labels, histogram (chunks, K), parts (chunks): sum of distances, labels that
// are not those in `used`. A chunk an invocation.
@compute @workgroup_size(WORKGROUP) fn kmeans_survey(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let chunk = linear_index(id, count, WORKGROUP);
  let first = chunk * params.chunk;
  if (control.done != 0 || first >= params.points) { return; }
  let own = chunk * params.clusters;
  for (var k = 0u; k < params.clusters; k++) { histogram[own + k] = 0; }
  let end = min(first + params.chunk, params.points);
  var sum = 0.0;
  var changed = 0u;
  for (var start = first; start < end; start += RUN) {
    var part = 0.0;
    for (var i = start; i < min(start + RUN, end); i++) {
      let label = labels[i];
      part += distances[i];
      changed += u32(label != used[i]);
      used[i] = label;
      histogram[own + label]++;
    }
    sum += part;
  }
  parts[chunk] = vec2f(sum, f32(changed));
}

@group(0) @binding(10) var<storage, read_write> decided: Control;
@group(0) @binding(11) var<storage, read> surveyed: array<vec2f>;
@group(0) @binding(12) var<storage, read_write> inertias: array<f32>;

// parts (chunks) -> inertias[iteration], done where nothing is left to do, iteration + 1 elsewhere. One invocation.
@compute @workgroup_size(1) fn kmeans_settle() {
  if (decided.done != 0) { return; }
  let chunks = (params.points + params.chunk - 1) / params.chunk;
  var inertia = 0.0;
  var changed = 0.0;
  for (var start = 0u; start < chunks; start += RUN) {
    var part = vec2f(0);
    for (var i = start; i < min(start + RUN, chunks); i++) { part += surveyed[i]; }
    inertia += part.x;
    changed += part.y;
  }
  let iteration = decided.iteration;
  inertias[iteration] = inertia;
  var settled = iteration == params.iterations;
  if (iteration > 0) {
    let before = inertias[iteration - 1];
    settled = settled || changed == 0 || before - inertia < params.tolerance * before;
  }
  if (settled) { decided.done = 1; } else { decided.iteration = iteration + 1; }
}

@group(0) @binding(11) var<storage, read> counted: array<u32>;
@group(0) @binding(12) var<storage, read_write> counts: array<u32>;

// histogram (chunks, K) -> counts (K).
@compute @workgroup_size(WORKGROUP) fn kmeans_count(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let k = linear_index(id, count, WORKGROUP);
  if (control.done != 0 || k >= params.clusters) { return; }
  let chunks = (params.points + params.chunk - 1) / params.chunk;
  var sum = 0u;
  for (var chunk = 0u; chunk < chunks; chunk++) { sum += counted[chunk * params.clusters + k]; }
  counts[k] = sum;
}

@group(0) @binding(11) var<storage, read> farness: array<f32>;
@group(0) @binding(12) var<storage, read_write> taken: array<u32>;
@group(0) @binding(13) var<storage, read_write> tally: array<u32>;
@group(0) @binding(14) var<storage, read_write> sizes: array<u32>;

const FILLERS = 64u;
var<workgroup> wanting: u32;
var<workgroup> farthest: array<f32, FILLERS>;
var<workgroup> candidates: array<u32, FILLERS>;

// farness (N), taken (N), tally (chunks, K), sizes (K) -> the last three, where every cluster without points took
// the point farthest from its centre, of equally far ones the first. Points on their centre and points alone in their
// cluster stay. One workgroup.
@compute @workgroup_size(FILLERS) fn kmeans_fill(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0) { wanting = select(0u, params.clusters, control.done != 0); }
  loop {
    if (lane == 0) { while (wanting < params.clusters && sizes[wanting] > 0) { wanting++; } }
    let cluster = workgroupUniformLoad(&wanting);
    if (cluster >= params.clusters) { break; }
    var best = 0.0;
    var at = 0u;
    for (var i = lane; i < params.points; i += FILLERS) {
      if (farness[i] > best && sizes[taken[i]] > 1) { best = farness[i]; at = i; }
    }
    farthest[lane] = best;
    candidates[lane] = at;
    workgroupBarrier();
    if (lane == 0) {
      for (var other = 1u; other < FILLERS; other++) {
        if (farthest[other] > best || (farthest[other] == best && candidates[other] < at)) {
          best = farthest[other];
          at = candidates[other];
        }
      }
      if (best > 0) {
        let row = at / params.chunk * params.clusters;
        tally[row + taken[at]]--;
        tally[row + cluster]++;
        sizes[taken[at]]--;
        sizes[cluster] = 1;
        taken[at] = cluster;
      } else {
        wanting = params.clusters; // nobody can be moved
      }
    }
    storageBarrier();
    workgroupBarrier();
  }
}

@group(0) @binding(11) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(12) var<storage, read_write> spread: array<u32>;

const SORTERS = 64u;
var<workgroup> is_done: u32;

// spread (chunks, K) of members -> offsets (blocks, K + 1) of each block's clusters, spread (chunks, K) of where a
// chunk's members of a cluster begin in its block. A block a workgroup.
@compute @workgroup_size(SORTERS) fn kmeans_offsets(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  if (lane == 0) { is_done = control.done; }
  if (workgroupUniformLoad(&is_done) != 0) { return; }
  let chunks = (params.points + params.chunk - 1) / params.chunk;
  let first = group.x * params.block_chunks;
  let end = min(first + params.block_chunks, chunks);
  let own = group.x * (params.clusters + 1);
  for (var k = lane; k < params.clusters; k += SORTERS) {
    var sum = 0u;
    for (var chunk = first; chunk < end; chunk++) { sum += spread[chunk * params.clusters + k]; }
    offsets[own + k + 1] = sum;
  }
  storageBarrier();
  workgroupBarrier();
  if (lane == 0) {
    offsets[own] = 0;
    for (var k = 0u; k < params.clusters; k++) { offsets[own + k + 1] += offsets[own + k]; }
  }
  storageBarrier();
  workgroupBarrier();
  for (var k = lane; k < params.clusters; k += SORTERS) {
    var place = offsets[own + k];
    for (var chunk = first; chunk < end; chunk++) {
      let at = chunk * params.clusters + k;
      let members_here = spread[at];
      spread[at] = place;
      place += members_here;
    }
  }
}

@group(0) @binding(11) var<storage, read> chosen: array<u32>;
@group(0) @binding(12) var<storage, read_write> members: array<u32>;
@group(0) @binding(13) var<storage, read_write> places: array<u32>;

// chosen (N), places (chunks, K) of kmeans_offsets -> members (N): rows in their block, by cluster, ascending. A chunk an
// invocation.
@compute @workgroup_size(WORKGROUP) fn kmeans_place(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let chunk = linear_index(id, count, WORKGROUP);
  let first = chunk * params.chunk;
  if (control.done != 0 || first >= params.points) { return; }
  let block = chunk / params.block_chunks * params.block_chunks * params.chunk;
  for (var i = first; i < min(first + params.chunk, params.points); i++) {
    let at = chunk * params.clusters + chosen[i];
    members[block + places[at]] = i - block;
    places[at]++;
  }
}

@group(0) @binding(11) var<storage, read> starts: array<u32>;
@group(0) @binding(12) var<storage, read> rows: array<u32>;
@group(0) @binding(13) var<storage, read_write> drift: array<vec4f>;

// Four groups of columns an invocation: rows of a cluster lie far apart in memory, so each visit reads 512 bytes.
const APART = 8u;

// points (N, D) = in0, centres (K, D) = in1, offsets (K + 1), members (N) -> drift (K, D): sum of point - centre over
// the members. Sums of small differences keep the digits that sums of points would lose.
@compute @workgroup_size(APART, 8) fn kmeans_sum(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(global_invocation_id) id: vec3u,
) {
  let first = workgroup.x * APART * 4 + id.x % APART;
  if (control.done != 0 || first >= sums.groups || id.y >= sums.clusters) { return; }
  let groups = first + APART * vec4u(0, 1, 2, 3);
  let at = id.y * sums.groups + groups;
  let centre = mat4x4f(
    load1(id.y, groups.x), load1(id.y, groups.y), load1(id.y, groups.z), load1(id.y, groups.w),
  );
  var sum = mat4x4f();
  if (sums.block > 0) { sum = mat4x4f(drift[at.x], drift[at.y], drift[at.z], drift[at.w]); }
  let own = sums.block * (sums.clusters + 1) + id.y;
  let end = starts[own + 1]; // read in the loop's condition it takes half of the time
  for (var i = starts[own]; i < end; i++) {
    let row = rows[sums.first + i];
    sum += mat4x4f(load0(row, groups.x), load0(row, groups.y), load0(row, groups.z), load0(row, groups.w)) - centre;
  }
  for (var i = 0u; i < 4 && groups[i] < sums.groups; i++) { drift[at[i]] = sum[i]; }
}

@group(0) @binding(11) var<storage, read> summed: array<vec4f>;
@group(0) @binding(12) var<storage, read> sharing: array<u32>;

// centres (K, D) = in0, summed (K, D), counts (K) -> means (K, D) = out0; a centre without members stays, and all do once
// it is done.
@compute @workgroup_size(16, 8) fn kmeans_mean(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= sums.groups || id.y >= sums.clusters) { return; }
  let centre = load0(id.y, id.x);
  let way = summed[id.y * sums.groups + id.x] / f32(max(sharing[id.y], 1));
  store0(id.y, id.x, select(centre + way, centre, control.done != 0));
}

@group(0) @binding(10) var<storage, read_write> paths: array<f32>;

// centres (K, D) = in0, means (K, D) = in1 -> paths (K): how far each moved.
@compute @workgroup_size(WORKGROUP) fn kmeans_path(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let k = linear_index(id, count, WORKGROUP);
  if (k >= sums.clusters) { return; }
  var squared = 0.0;
  for (var g = 0u; g < sums.groups; g++) { let way = load1(k, g) - load0(k, g); squared += dot(way, way); }
  paths[k] = sqrt(squared) * FURTHER;
}

// Room for rounding in a bound, as a share of it.
const FURTHER = 1.0001;
struct Moves { most: f32, second: f32, fastest: u32, unused: u32 }
@group(0) @binding(10) var<storage, read> moved: array<f32>;
@group(0) @binding(11) var<storage, read_write> moves: Moves;

// moved (K) -> the largest, the next one and the cluster of the first. One invocation.
@compute @workgroup_size(1) fn kmeans_moves() {
  var found = Moves(0, 0, 0, 0);
  for (var k = 0u; k < sums.clusters; k++) {
    if (moved[k] > found.most) { found = Moves(moved[k], found.most, k, 0); } else { found.second = max(found.second, moved[k]); }
  }
  moves = found;
}

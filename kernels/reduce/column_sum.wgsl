// Sum over rows in two passes of fixed order: chunks of CHUNK rows, then the total of the chunks.
struct Params {
  rows: u32,
  groups: u32, // groups of four in a segment
  segments: u32,
  first: u32,  // group of x, or of the total, where the work starts
  accumulate: u32,
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read_write> total: array<vec4f>;

override CHUNK: u32 = 32;

// x (N, C) = in0 from `first` on -> sums of each chunk (N / CHUNK, groups) = out0
@compute @workgroup_size(16, 4) fn chunk_sums(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let first = id.y * CHUNK;
  if (group >= params.groups || first >= params.rows) { return; }
  let end = min(first + CHUNK, params.rows);
  var sum = vec4f(0);
  for (var row = first; row < end; row++) {
    for (var s = 0u; s < params.segments; s++) { sum += load0(row, params.first + s * params.groups + group); }
  }
  store0(id.y, group, sum);
}

@group(0) @binding(10) var<storage, read> scales: array<f32>; // of rows

// x (N, C) = in0, y (N, C) = in1 -> sums of x * y * scale over each chunk (N / CHUNK, groups) = out0
@compute @workgroup_size(16, 4) fn chunk_product_sums(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let first = id.y * CHUNK;
  if (group >= params.groups || first >= params.rows) { return; }
  let end = min(first + CHUNK, params.rows);
  var sum = vec4f(0);
  for (var row = first; row < end; row++) { sum += load0(row, group) * load1(row, group) * scales[row]; }
  store0(id.y, group, sum);
}

// chunk sums (rows, groups) = in0 -> total from `first` on
@compute @workgroup_size(16) fn total_sums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let group = linear_index(id, groups, 16);
  if (group >= params.groups) { return; }
  var sum = vec4f(0);
  for (var row = 0u; row < params.rows; row++) { sum += load0(row, group); }
  let at = params.first + group;
  if (params.accumulate != 0) { sum += total[at]; }
  total[at] = sum;
}

// Weighted sums of the rows of a causal window over packed sequences, the same weights for every column.
struct Params {
  rows: u32,
  groups: u32,  // of x
  count: u32,   // rows of a window
  filters: u32,
  width: u32,   // groups of a filter
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>; // of a row in its sequence

// x (T, C) = in0, weight (filters, count) = in1, the oldest row first -> y (T, filters * C) = out0
@compute @workgroup_size(16, 8) fn vertical_convolution(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.filters * params.groups || row >= params.rows) { return; }
  var sum = vec4f(0);
  for (var lag = 0u; lag <= min(positions[row], params.count - 1); lag++) {
    let slot = params.count - 1 - lag;
    let weights = load1(id.x / params.groups, slot / 4);
    sum += weights[slot % 4] * load0(row - lag, id.x % params.groups);
  }
  store0(row, id.x, sum);
}

// dy (T, filters * C) = in0, weight = in1 -> dx (T, C) = out0
@compute @workgroup_size(16, 8) fn vertical_convolution_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.groups || row >= params.rows) { return; }
  var sum = vec4f(0);
  for (var lag = 0u; lag < params.count; lag++) {
    let slot = params.count - 1 - lag;
    let later = row + lag;
    // A later row as far from its start belongs to the same sequence.
    if (later < params.rows && positions[later] >= lag) {
      for (var filter_row = 0u; filter_row < params.filters; filter_row++) {
        let weights = load1(filter_row, slot / 4);
        sum += weights[slot % 4] * load0(later, filter_row * params.groups + id.x);
      }
    }
  }
  store0(row, id.x, sum);
}

// dy = in0, x = in1 -> terms of the weight gradient (T, filters * count) = out0, filters in whole groups
@compute @workgroup_size(16, 8) fn vertical_convolution_terms(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.filters * params.width || row >= params.rows) { return; }
  let first = id.x / params.width * params.groups;
  var terms = vec4f(0);
  for (var i = 0u; i < 4; i++) {
    let slot = id.x % params.width * 4 + i;
    if (slot >= params.count) { continue; }
    let lag = params.count - 1 - slot;
    if (lag > positions[row]) { continue; }
    var sum = 0.0;
    for (var g = 0u; g < params.groups; g++) { sum += dot(load0(row, first + g), load1(row - lag, g)); }
    terms[i] = sum;
  }
  store0(row, id.x, terms);
}

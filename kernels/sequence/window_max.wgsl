// Largest value of each column over a causal window of packed sequences.
struct Params { rows: u32, groups: u32, count: u32 } // rows of a window
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>; // of a row in its sequence

// x (N, C) = in0 -> maxima (N, C) = out0, and how many rows before they stand (N, C) = out1
@compute @workgroup_size(16, 8) fn window_max(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.groups || row >= params.rows) { return; }
  var most = load0(row, id.x);
  var place = vec4f(0);
  for (var lag = 1u; lag <= min(positions[row], params.count - 1); lag++) {
    let value = load0(row - lag, id.x);
    place = select(place, vec4f(f32(lag)), value > most);
    most = max(most, value);
  }
  store0(row, id.x, most);
  store1(row, id.x, place);
}

// places (N, C) = in0, dy (N, C) = in1 -> dx (N, C) = out0
@compute @workgroup_size(16, 8) fn window_max_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.groups || row >= params.rows) { return; }
  var sum = vec4f(0);
  for (var lag = 0u; lag < params.count; lag++) {
    let later = row + lag;
    // A later row as far from its start belongs to the same sequence.
    if (later < params.rows && positions[later] >= lag) {
      sum += select(vec4f(0), load1(later, id.x), load0(later, id.x) == vec4f(f32(lag)));
    }
  }
  store0(row, id.x, sum);
}

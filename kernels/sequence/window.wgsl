// Causal windows over packed sequences: each row beside those before it in its sequence, 0 where there are none.
struct Params {
  rows: u32,
  groups: u32, // of x
  count: u32,  // rows of a window
  nearest: u32, // lag of its last row
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>; // of a row in its sequence

// x (T, C) = in0 -> y (T, count * C) = out0, the oldest row first
@compute @workgroup_size(16, 8) fn window(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.groups * params.count || row >= params.rows) { return; }
  let lag = params.nearest + params.count - 1 - id.x / params.groups;
  var value = vec4f(0);
  if (lag <= positions[row]) { value = load0(row - lag, id.x % params.groups); }
  store0(row, id.x, value);
}

// dy (T, count * C) = in0 -> dx (T, C) = out0: the sum over the windows that a row is part of
@compute @workgroup_size(16, 8) fn window_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= params.groups || row >= params.rows) { return; }
  var sum = vec4f(0);
  for (var slot = 0u; slot < params.count; slot++) {
    let lag = params.nearest + params.count - 1 - slot;
    let later = row + lag;
    // A later row as far from its start belongs to the same sequence.
    if (later < params.rows && positions[later] >= lag) { sum += load0(later, slot * params.groups + id.x); }
  }
  store0(row, id.x, sum);
}

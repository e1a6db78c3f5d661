// Rotary position embedding of the queries and keys in fused rows q | k | v; the values are copied.
// An invocation rotates one group of four of the first half of a head with its partners half a head further.
struct Params {
  rows: u32,
  heads: u32,   // of q, k and v together
  rotated: u32, // of q and k
  half: u32,    // groups of four in half a head
  per_row: u32, // positions in a row of the table
  sign: f32,    // -1 rotates back
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>;

// x (T, heads * headDim) = in0, table (positions / per_row, per_row * (cos | sin)) = in1 -> (T, heads * headDim) = out0
@compute @workgroup_size(16, 8) fn rotary(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let head = id.x / params.half;
  if (head >= params.heads || row >= params.rows) { return; }
  let i = id.x % params.half;
  let group = head * 2 * params.half + i;
  let a = load0(row, group);
  let b = load0(row, group + params.half);
  if (head >= params.rotated) {
    store0(row, group, a);
    store0(row, group + params.half, b);
    return;
  }
  let position = positions[row];
  let line = position / params.per_row;
  let angle = (position % params.per_row) * 2 * params.half + i;
  let c = load1(line, angle);
  let s = params.sign * load1(line, angle + params.half);
  store0(row, group, a * c - b * s);
  store0(row, group + params.half, b * c + a * s);
}

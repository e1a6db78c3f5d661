// Rotary position embedding of the queries and keys in fused rows q | k | v; heads after them, the values, are copied.
// An invocation rotates one group of four of the first half of a head with its partners half a head further, in HEADS
// heads, which share the angles.
struct Params {
  rows: u32,
  heads: u32,   // of q and k, and of v where the kernel copies it
  rotated: u32, // of q and k
  sign: f32,    // -1 rotates back
}
@group(0) @binding(20) var<uniform> params: Params;

override HALF: u32 = 4;    // groups of four in half a head
override PER_ROW: u32 = 1; // positions in a row of the table
const HEADS = 4u;

@group(0) @binding(10) var<storage, read> positions: array<u32>;

// x (T, heads * headDim) = in0, table (positions / PER_ROW, PER_ROW * (cos | sin)) = in1 -> (T, heads * headDim) = out0
@compute @workgroup_size(8, 8) fn rotary(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let first = id.x / HALF * HEADS;
  if (first >= params.heads || row >= params.rows) { return; }
  let i = id.x % HALF;
  let position = positions[row];
  let line = position / PER_ROW;
  let angle = position % PER_ROW * 2 * HALF + i;
  let c = load1(line, angle);
  let s = params.sign * load1(line, angle + HALF);
  for (var head = first; head < min(first + HEADS, params.heads); head++) {
    let group = head * 2 * HALF + i;
    let a = load0(row, group);
    let b = load0(row, group + HALF);
    let turned = head < params.rotated;
    store0(row, group, select(a, a * c - b * s, turned));
    store0(row, group + HALF, select(b, b * c + a * s, turned));
  }
}

// Barrier-free register tiles, one invocation each: the shape that CPU adapters want. A tile is built of 4x4 blocks:
// block += b * a is four rows of a times four rows of b, and this order of multiply-adds keeps accumulators in registers.
struct Params {
  rows: u32, cols: u32, inner: u32, // C is (rows, cols); inner is the contraction
  has_bias: u32, activation: u32, accumulate: u32,
  b_row: u32, b_group: u32,         // part of B that is used: first row and first group of columns
}
@group(0) @binding(20) var<uniform> params: Params;

const NONE = 0u;
const RELU = 1u;
const SILU = 2u;
const GELU = 3u;

fn activate(v: vec4f) -> vec4f {
  if (params.activation == RELU) { return max(v, vec4f(0)); }
  if (params.activation == SILU) { return v / (1 + exp(-v)); }
  if (params.activation == GELU) { return v / (1 + exp(-1.5957691216 * (v + 0.044715 * v * v * v))); }
  return v;
}

// Zero in the columns past the last one, so that padding lanes of the result stay 0.
fn column_mask(group: u32) -> vec4f {
  return select(vec4f(0), vec4f(1), vec4u(group * 4) + vec4u(0, 1, 2, 3) < vec4u(params.cols));
}

fn finish(row: u32, group: u32, value: vec4f) {
  if (row >= params.rows || group * 4 >= params.cols) { return; }
  var v = value;
  if (params.has_bias != 0) { v += load2(0, group); }
  if (params.activation != NONE) { v = activate(v); }
  store0(row, group, v * column_mask(group));
}

fn finish4(row: u32, group: u32, block: mat4x4f) {
  finish(row, group, block[0]);
  finish(row + 1, group, block[1]);
  finish(row + 2, group, block[2]);
  finish(row + 3, group, block[3]);
}

fn a_rows(row: u32, k: u32) -> mat4x4f { return mat4x4f(load0(row, k), load0(row + 1, k), load0(row + 2, k), load0(row + 3, k)); }

fn b_rows(k: u32, group: u32) -> mat4x4f {
  let row = params.b_row + 4 * k;
  return mat4x4f(load1(row, group), load1(row + 1, group), load1(row + 2, group), load1(row + 3, group));
}

// C = A B: A (rows, inner) = in0, B (inner, cols) = in1, bias (1, cols) = in2 -> C = out0. Tile 16 x 8.
@compute @workgroup_size(8) fn matmul(@builtin(global_invocation_id) id: vec3u) {
  let tiles = (params.cols + 7) / 8;
  let n = (id.x % tiles) * 2;
  let m = (id.x / tiles) * 16;
  if (m >= params.rows) { return; }
  var c00 = mat4x4f(); var c10 = mat4x4f(); var c20 = mat4x4f(); var c30 = mat4x4f();
  var c01 = mat4x4f(); var c11 = mat4x4f(); var c21 = mat4x4f(); var c31 = mat4x4f();
  let steps = (params.inner + 3) / 4;
  for (var k = 0u; k < steps; k++) {
    let b0 = b_rows(k, params.b_group + n);
    let b1 = b_rows(k, params.b_group + n + 1);
    let a0 = a_rows(m, k);
    let a1 = a_rows(m + 4, k);
    let a2 = a_rows(m + 8, k);
    let a3 = a_rows(m + 12, k);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
  }
  finish4(m, n, c00); finish4(m + 4, n, c10); finish4(m + 8, n, c20); finish4(m + 12, n, c30);
  finish4(m, n + 1, c01); finish4(m + 4, n + 1, c11); finish4(m + 8, n + 1, c21); finish4(m + 12, n + 1, c31);
}

// C = A B^T: A (rows, inner) = in0, B (cols, inner) = in1, bias = in2 -> C = out0. Tile 16 x 8.
fn b_columns(row: u32, k: u32) -> mat4x4f {
  let first = params.b_row + row;
  return transpose(mat4x4f(load1(first, k), load1(first + 1, k), load1(first + 2, k), load1(first + 3, k)));
}

@compute @workgroup_size(8) fn matmul_bt(@builtin(global_invocation_id) id: vec3u) {
  let tiles = (params.cols + 7) / 8;
  let n = (id.x % tiles) * 2;
  let m = (id.x / tiles) * 16;
  if (m >= params.rows) { return; }
  var c00 = mat4x4f(); var c10 = mat4x4f(); var c20 = mat4x4f(); var c30 = mat4x4f();
  var c01 = mat4x4f(); var c11 = mat4x4f(); var c21 = mat4x4f(); var c31 = mat4x4f();
  let steps = (params.inner + 3) / 4;
  for (var k = 0u; k < steps; k++) {
    let b0 = b_columns(n * 4, params.b_group + k);
    let b1 = b_columns(n * 4 + 4, params.b_group + k);
    let a0 = a_rows(m, k);
    let a1 = a_rows(m + 4, k);
    let a2 = a_rows(m + 8, k);
    let a3 = a_rows(m + 12, k);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
  }
  finish4(m, n, c00); finish4(m + 4, n, c10); finish4(m + 8, n, c20); finish4(m + 12, n, c30);
  finish4(m, n + 1, c01); finish4(m + 4, n + 1, c11); finish4(m + 8, n + 1, c21); finish4(m + 12, n + 1, c31);
}

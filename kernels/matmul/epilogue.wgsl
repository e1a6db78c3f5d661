// What follows the two products that write a matrix: bias or addend, activation, and zeros in the padding lanes.
struct Params {
  rows: u32, cols: u32, inner: u32, // C is (rows, cols); inner is the contraction
  added: u32, activation: u32,      // added: 0 nothing, 1 in2 (1, cols) to every row, 2 in2 (rows, cols)
  b_row: u32, b_group: u32,         // part of B that is used: first row and first group of columns
}
@group(0) @binding(20) var<uniform> params: Params;

// 1 where there is neither addend, activation nor padding lane. A constant, because the unused code costs registers.
override PLAIN: u32 = 0;
// 0 where there is no activation: its code, once a row of every block, is most of what some compilers wait for.
override ACTIVATES: u32 = 1;

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

// Rows and groups outside the result are dropped by the store.
fn finish(row: u32, group: u32, value: vec4f) {
  var v = value;
  if (params.added != 0) { v += load2(select(row, 0, params.added == 1), group); }
  if (ACTIVATES != 0 && params.activation != NONE) { v = activate(v); }
  store0(row, group, v * column_mask(group));
}

fn finish4(row: u32, group: u32, block: mat4x4f) {
  if (PLAIN != 0) {
    store0(row, group, block[0]);
    store0(row + 1, group, block[1]);
    store0(row + 2, group, block[2]);
    store0(row + 3, group, block[3]);
    return;
  }
  finish(row, group, block[0]);
  finish(row + 1, group, block[1]);
  finish(row + 2, group, block[2]);
  finish(row + 3, group, block[3]);
}

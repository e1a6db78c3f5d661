// What the two products that write a matrix are told.
struct Params {
  rows: u32, cols: u32, inner: u32, // C is (rows, cols); inner is the contraction
  added: u32,                       // 0 nothing, 1 in2 (1, cols) to every row, 2 in2 (rows, cols)
  b_row: u32, b_group: u32,         // part of B that is used: first row and first group of columns
}
@group(0) @binding(20) var<uniform> params: Params;

// What follows a product: bias or addend, activation (epilogue.ts writes `activate`), and zeros in the padding lanes.

// Zero in the columns past the last one, so that padding lanes of the result stay 0.
fn column_mask(group: u32) -> vec4f {
  return select(vec4f(0), vec4f(1), vec4u(group * 4) + vec4u(0, 1, 2, 3) < vec4u(params.cols));
}

// Rows and groups outside the result are dropped by the store.
fn finish(row: u32, group: u32, value: vec4f) {
  var v = value;
  if (params.added != 0) { v += load2(select(row, 0, params.added == 1), group); }
  store0(row, group, activate(v) * column_mask(group));
}

fn finish4(row: u32, group: u32, block: mat4x4f) {
  finish(row, group, block[0]);
  finish(row + 1, group, block[1]);
  finish(row + 2, group, block[2]);
  finish(row + 3, group, block[3]);
}

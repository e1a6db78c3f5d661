// What follows A^T B: C (rows, cols) is set or added to, in a flat array with rows of whole groups.
struct Params { rows: u32, cols: u32, inner: u32, accumulate: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read_write> c: array<vec4f>;

fn finish(row: u32, group: u32, value: vec4f) {
  let groups = (params.cols + 3) / 4;
  if (row >= params.rows || group >= groups) { return; }
  let at = row * groups + group;
  if (params.accumulate != 0) { c[at] += value; } else { c[at] = value; }
}

fn finish4(row: u32, group: u32, block: mat4x4f) {
  finish(row, group, block[0]);
  finish(row + 1, group, block[1]);
  finish(row + 2, group, block[2]);
  finish(row + 3, group, block[3]);
}

// Twins of a parameter: a flat array (rows, cols) with rows of whole groups becomes a matrix (rows, cols), its transpose
// (cols, rows), or both. One 4 x 4 block an invocation. A slice starts at a multiple of four rows.
struct Params { first: u32, rows: u32, cols: u32 } // first row and number of rows of this slice
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> flat: array<vec4f>;

fn outside(id: vec3u) -> bool { return id.x * 4 >= params.cols || id.y * 4 >= params.rows; }

fn row_of(row: u32, group: u32) -> vec4f {
  if (row >= params.rows) { return vec4f(0); }
  let inside = group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols);
  return select(vec4f(0), flat[row * ((params.cols + 3) / 4) + group], inside);
}

fn block(id: vec3u) -> mat4x4f {
  let row = id.y * 4;
  return mat4x4f(row_of(row, id.x), row_of(row + 1, id.x), row_of(row + 2, id.x), row_of(row + 3, id.x));
}

// Rows past the end are dropped by the store.
fn store_block0(row: u32, group: u32, b: mat4x4f) {
  store0(row, group, b[0]); store0(row + 1, group, b[1]); store0(row + 2, group, b[2]); store0(row + 3, group, b[3]);
}
fn store_block1(row: u32, group: u32, b: mat4x4f) {
  store1(row, group, b[0]); store1(row + 1, group, b[1]); store1(row + 2, group, b[2]); store1(row + 3, group, b[3]);
}

// matrix (rows, cols) = out0
@compute @workgroup_size(16, 8) fn refresh_matrix(@builtin(global_invocation_id) id: vec3u) {
  if (outside(id)) { return; }
  store_block0(params.first + id.y * 4, id.x, block(id));
}

// transposed (cols, rows) = out0
@compute @workgroup_size(16, 8) fn refresh_transposed(@builtin(global_invocation_id) id: vec3u) {
  if (outside(id)) { return; }
  store_block0(id.x * 4, params.first / 4 + id.y, transpose(block(id)));
}

// matrix (rows, cols) = out0, transposed (cols, rows) = out1
@compute @workgroup_size(16, 8) fn refresh_both(@builtin(global_invocation_id) id: vec3u) {
  if (outside(id)) { return; }
  let b = block(id);
  store_block0(params.first + id.y * 4, id.x, b);
  store_block1(id.x * 4, params.first / 4 + id.y, transpose(b));
}

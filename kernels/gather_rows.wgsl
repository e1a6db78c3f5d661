// Rows by index: y[r] = x[index[r]], 0 where the index is not a row of x.
struct Params { x_rows: u32, rows: u32, groups: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> index: array<u32>;

// x (N, C) = in0, index (R) -> y (R, C) = out0
@compute @workgroup_size(16, 8) fn gather_rows(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let row = index[id.y];
  var value = vec4f(0);
  if (row < params.x_rows) { value = load0(row, id.x); }
  store0(id.y, id.x, value);
}

// Rows by index: y[r] = x[index[r] - first]; where that is not a row of x, another matrix's row r, or 0.
struct Params { first: u32, x_rows: u32, rows: u32, groups: u32, has_before: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> index: array<u32>;

// x (N, C) = in0, before (R, C) = in1 if has_before, index (R) -> y (R, C) = out0
@compute @workgroup_size(16, 8) fn gather_rows(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let row = index[id.y] - params.first; // wraps to a large number left of x
  var value = vec4f(0);
  if (row < params.x_rows) { value = load0(row, id.x); }
  else if (params.has_before != 0) { value = load1(id.y, id.x); }
  store0(id.y, id.x, value);
}

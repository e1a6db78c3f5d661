struct Params { rows: u32, groups: u32, cols: u32 }
@group(0) @binding(20) var<uniform> params: Params;

// x (N, C) = in0 -> x with a last column of ones (N, C + 1) = out0
@compute @workgroup_size(16, 8) fn append_one(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  var value = vec4f();
  if (4 * id.x < params.cols) { value = load0(id.y, id.x); }
  if (id.x == params.cols / 4) { value[params.cols % 4] = 1; }
  store0(id.y, id.x, value);
}

// dy (N, C + 1) = in0 -> dx (N, C) = out0
@compute @workgroup_size(16, 8) fn append_one_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  var value = load0(id.y, id.x);
  if (id.x == params.cols / 4) { value[params.cols % 4] = 0; } // a padding lane of dx
  store0(id.y, id.x, value);
}

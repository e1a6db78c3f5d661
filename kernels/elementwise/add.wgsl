struct Params { rows: u32, groups: u32, factor: f32 }
@group(0) @binding(20) var<uniform> params: Params;

// x (N, C) = in0, y (N, C) = in1 -> x + y = out0
@compute @workgroup_size(16, 8) fn add(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  store0(id.y, id.x, load0(id.y, id.x) + load1(id.y, id.x));
}

// x (N, C) = in0 -> x * factor = out0
@compute @workgroup_size(16, 8) fn scale(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  store0(id.y, id.x, load0(id.y, id.x) * params.factor);
}

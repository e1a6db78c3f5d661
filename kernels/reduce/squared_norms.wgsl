// Squared lengths of rows, times a factor, as a row vector.
struct Params { rows: u32, groups: u32, factor: f32 }
@group(0) @binding(20) var<uniform> params: Params;

fn squared_norm(row: u32) -> f32 {
  if (row >= params.rows) { return 0; } // a padding lane
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) { let x = load0(row, g); squares += x * x; }
  return params.factor * (squares.x + squares.y + squares.z + squares.w);
}

// x (N, C) = in0 -> factor * |x|^2 (1, N) = out0, four rows an invocation
@compute @workgroup_size(16) fn squared_norms(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let group = linear_index(id, count, 16);
  let row = 4 * group;
  if (row >= params.rows) { return; }
  store0(0, group, vec4f(squared_norm(row), squared_norm(row + 1), squared_norm(row + 2), squared_norm(row + 3)));
}

@group(0) @binding(10) var<storage, read> slopes: array<f32>;
@group(0) @binding(11) var<storage, read_write> gradient: array<vec4f>;

// x (N, C) = in0, slopes (N) -> gradient (N, C) += 2 * factor * slope * x
@compute @workgroup_size(16, 8) fn squared_norms_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  gradient[id.y * params.groups + id.x] += 2 * params.factor * slopes[id.y] * load0(id.y, id.x);
}

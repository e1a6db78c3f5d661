// C = A B with A in compressed sparse rows: one invocation sums one group of four columns of one row.
struct Params { first: u32, rows: u32, groups: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> offsets: array<u32>;
@group(0) @binding(11) var<storage, read> columns: array<u32>;
@group(0) @binding(12) var<storage, read> values: array<f32>;

// Some rows of A (M, N) = offsets (rows + 1), columns, values, B (N, K) = in0 -> as many rows of C (M, K) = out0 from `first` on
@compute @workgroup_size(8) fn sparse_matmul(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let index = linear_index(id, count, 8);
  let row = index / params.groups;
  if (row >= params.rows) { return; }
  let group = index % params.groups;
  var sum = vec4f(0);
  for (var i = offsets[row]; i < offsets[row + 1]; i++) { sum += values[i] * load0(columns[i], group); }
  store0(params.first + row, group, sum);
}

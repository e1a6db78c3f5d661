// A: (rows, inner) = in0; B = in1: (inner, cols), or (cols, inner) where B_BY_COLS; bias (1, cols) = in2 -> C = out0
fn source_a(row: u32, group: u32) -> vec4f { return load0(row, group); }
fn source_b(row: u32, group: u32) -> vec4f { return load1(params.b_row + row, params.b_group + group); }

@compute @workgroup_size(THREADS) fn matmul_shared(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  compute_tile(me, workgroup, groups);
}

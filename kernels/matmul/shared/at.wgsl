// A (inner, rows) = in0, B (inner, cols) = in1 -> C (rows, cols) in a flat array with rows of whole groups
fn source_a(row: u32, group: u32) -> vec4f { return load0(row, group); }
fn source_b(row: u32, group: u32) -> vec4f { return load1(row, group); }

@compute @workgroup_size(THREADS) fn matmul_shared_at(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  compute_tile(me, workgroup, groups);
}

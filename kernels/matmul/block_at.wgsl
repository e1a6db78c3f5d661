// C (+)= A^T B, one 4x4 block an invocation. A (inner, rows) = in0, B (inner, cols) = in1 -> C (rows, cols) in a flat array
// with rows of whole groups.
@compute @workgroup_size(64) fn matmul_at(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = linear_index(id, groups, 64);
  let blocks = (params.cols + 3) / 4;
  let n = block % blocks;
  let m = block / blocks;
  if (m * 4 >= params.rows) { return; }
  var c = mat4x4f();
  for (var k = 0u; k < params.inner; k++) {
    let a = load0(k, m);
    let b = load1(k, n);
    c += mat4x4f(b * a.x, b * a.y, b * a.z, b * a.w);
  }
  finish4(m * 4, n, c);
}

// C (+)= A^T B in barrier-free 16 x 16 register tiles: the weight gradient dW = dY^T X. A (inner, rows) = in0,
// B (inner, cols) = in1 -> C (rows, cols) in a flat array with rows of whole groups.
override WORKGROUP: u32 = 8;

fn outer(a: vec4f, b: vec4f) -> mat4x4f { return mat4x4f(b * a.x, b * a.y, b * a.z, b * a.w); }

@compute @workgroup_size(WORKGROUP) fn matmul_at(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tile = linear_index(id, groups, WORKGROUP);
  let tiles = (params.cols + 15) / 16;
  let n = (tile % tiles) * 4;
  let m = (tile / tiles) * 4;
  if (m * 4 >= params.rows) { return; }
  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  // Two rows a turn; rows past the end read as 0.
  for (var k = 0u; k < params.inner; k += 2) {
    let a0 = load0(k, m); let a1 = load0(k, m + 1); let a2 = load0(k, m + 2); let a3 = load0(k, m + 3);
    let d0 = load0(k + 1, m); let d1 = load0(k + 1, m + 1); let d2 = load0(k + 1, m + 2); let d3 = load0(k + 1, m + 3);
    let b0 = load1(k, n); let b1 = load1(k, n + 1); let b2 = load1(k, n + 2); let b3 = load1(k, n + 3);
    let e0 = load1(k + 1, n); let e1 = load1(k + 1, n + 1); let e2 = load1(k + 1, n + 2); let e3 = load1(k + 1, n + 3);
    c00 += outer(a0, b0) + outer(d0, e0); c10 += outer(a1, b0) + outer(d1, e0);
    c20 += outer(a2, b0) + outer(d2, e0); c30 += outer(a3, b0) + outer(d3, e0);
    c01 += outer(a0, b1) + outer(d0, e1); c11 += outer(a1, b1) + outer(d1, e1);
    c21 += outer(a2, b1) + outer(d2, e1); c31 += outer(a3, b1) + outer(d3, e1);
    c02 += outer(a0, b2) + outer(d0, e2); c12 += outer(a1, b2) + outer(d1, e2);
    c22 += outer(a2, b2) + outer(d2, e2); c32 += outer(a3, b2) + outer(d3, e2);
    c03 += outer(a0, b3) + outer(d0, e3); c13 += outer(a1, b3) + outer(d1, e3);
    c23 += outer(a2, b3) + outer(d2, e3); c33 += outer(a3, b3) + outer(d3, e3);
  }
  let row = m * 4;
  finish4(row, n, c00); finish4(row, n + 1, c01); finish4(row, n + 2, c02); finish4(row, n + 3, c03);
  finish4(row + 4, n, c10); finish4(row + 4, n + 1, c11); finish4(row + 4, n + 2, c12); finish4(row + 4, n + 3, c13);
  finish4(row + 8, n, c20); finish4(row + 8, n + 1, c21); finish4(row + 8, n + 2, c22); finish4(row + 8, n + 3, c23);
  finish4(row + 12, n, c30); finish4(row + 12, n + 1, c31); finish4(row + 12, n + 2, c32); finish4(row + 12, n + 3, c33);
}

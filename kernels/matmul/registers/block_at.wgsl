// C (+)= A^T B like at.wgsl, for drivers whose loads are calls of one function, where the processor cannot foresee
// the addresses of each: four rows a turn, and eight invocations on 4 x 2 tiles, which read 6 lines of a row in place of 9.
fn a_block(k: u32, m: u32) -> mat4x4f {
  return transpose(mat4x4f(load0(k, m), load0(k + 1, m), load0(k + 2, m), load0(k + 3, m)));
}

fn b_block(k: u32, n: u32) -> mat4x4f { return mat4x4f(load1(k, n), load1(k + 1, n), load1(k + 2, n), load1(k + 3, n)); }

@compute @workgroup_size(8) fn matmul_at(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let tile = linear_index(id, groups, 8);
  let across = (params.cols + 31) / 32;
  let block = tile / 8;
  let n = ((block % across) * 2 + tile % 2) * 4;
  let m = ((block / across) * 4 + tile % 8 / 2) * 4;
  if (m * 4 >= params.rows) { return; }
  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  // Rows past the end read as 0.
  for (var k = 0u; k < params.inner; k += 4) {
    let b0 = b_block(k, n); let b1 = b_block(k, n + 1); let b2 = b_block(k, n + 2); let b3 = b_block(k, n + 3);
    let a0 = a_block(k, m); let a1 = a_block(k, m + 1); let a2 = a_block(k, m + 2); let a3 = a_block(k, m + 3);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
    c02 += b2 * a0; c12 += b2 * a1; c22 += b2 * a2; c32 += b2 * a3;
    c03 += b3 * a0; c13 += b3 * a1; c23 += b3 * a2; c33 += b3 * a3;
  }
  let row = m * 4;
  finish4(row, n, c00); finish4(row, n + 1, c01); finish4(row, n + 2, c02); finish4(row, n + 3, c03);
  finish4(row + 4, n, c10); finish4(row + 4, n + 1, c11); finish4(row + 4, n + 2, c12); finish4(row + 4, n + 3, c13);
  finish4(row + 8, n, c20); finish4(row + 8, n + 1, c21); finish4(row + 8, n + 2, c22); finish4(row + 8, n + 3, c23);
  finish4(row + 12, n, c30); finish4(row + 12, n + 1, c31); finish4(row + 12, n + 2, c32); finish4(row + 12, n + 3, c33);
}

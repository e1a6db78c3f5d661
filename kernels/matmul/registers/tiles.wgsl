// Barrier-free register tiles, one invocation each: the shape that CPU adapters want. A tile is built of 4x4 blocks:
// block += b * a is four rows of a times four rows of b, and this order of multiply-adds keeps accumulators in registers.
override WORKGROUP: u32 = 8;

fn a_rows(row: u32, k: u32) -> mat4x4f { return mat4x4f(load0(row, k), load0(row + 1, k), load0(row + 2, k), load0(row + 3, k)); }

fn b_rows(k: u32, group: u32) -> mat4x4f {
  let row = params.b_row + 4 * k;
  return mat4x4f(load1(row, group), load1(row + 1, group), load1(row + 2, group), load1(row + 3, group));
}

// C = A B: A (rows, inner) = in0, B (inner, cols) = in1, bias (1, cols) = in2 -> C = out0. Tile 16 x 16.
@compute @workgroup_size(WORKGROUP) fn matmul(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = tile_at(linear_index(id, groups, WORKGROUP));
  let n = at.x * 4;
  let m = at.y * 16;
  if (m >= params.rows) { return; }
  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  let steps = (params.inner + 3) / 4;
  for (var k = 0u; k < steps; k++) {
    let b0 = b_rows(k, params.b_group + n);
    let b1 = b_rows(k, params.b_group + n + 1);
    let b2 = b_rows(k, params.b_group + n + 2);
    let b3 = b_rows(k, params.b_group + n + 3);
    let a0 = a_rows(m, k);
    let a1 = a_rows(m + 4, k);
    let a2 = a_rows(m + 8, k);
    let a3 = a_rows(m + 12, k);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
    c02 += b2 * a0; c12 += b2 * a1; c22 += b2 * a2; c32 += b2 * a3;
    c03 += b3 * a0; c13 += b3 * a1; c23 += b3 * a2; c33 += b3 * a3;
  }
  finish4(m, n, c00); finish4(m, n + 1, c01); finish4(m, n + 2, c02); finish4(m, n + 3, c03);
  finish4(m + 4, n, c10); finish4(m + 4, n + 1, c11); finish4(m + 4, n + 2, c12); finish4(m + 4, n + 3, c13);
  finish4(m + 8, n, c20); finish4(m + 8, n + 1, c21); finish4(m + 8, n + 2, c22); finish4(m + 8, n + 3, c23);
  finish4(m + 12, n, c30); finish4(m + 12, n + 1, c31); finish4(m + 12, n + 2, c32); finish4(m + 12, n + 3, c33);
}

fn b_columns(row: u32, k: u32) -> mat4x4f {
  let first = params.b_row + row;
  return transpose(mat4x4f(load1(first, k), load1(first + 1, k), load1(first + 2, k), load1(first + 3, k)));
}

// C = A B^T: A (rows, inner) = in0, B (cols, inner) = in1, bias = in2 -> C = out0. Tile 16 x 16.
@compute @workgroup_size(WORKGROUP) fn matmul_bt(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = tile_at(linear_index(id, groups, WORKGROUP));
  let n = at.x * 4;
  let m = at.y * 16;
  if (m >= params.rows) { return; }
  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  let steps = (params.inner + 3) / 4;
  for (var k = 0u; k < steps; k++) {
    let b0 = b_columns(n * 4, params.b_group + k);
    let b1 = b_columns(n * 4 + 4, params.b_group + k);
    let b2 = b_columns(n * 4 + 8, params.b_group + k);
    let b3 = b_columns(n * 4 + 12, params.b_group + k);
    let a0 = a_rows(m, k);
    let a1 = a_rows(m + 4, k);
    let a2 = a_rows(m + 8, k);
    let a3 = a_rows(m + 12, k);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
    c02 += b2 * a0; c12 += b2 * a1; c22 += b2 * a2; c32 += b2 * a3;
    c03 += b3 * a0; c13 += b3 * a1; c23 += b3 * a2; c33 += b3 * a3;
  }
  finish4(m, n, c00); finish4(m, n + 1, c01); finish4(m, n + 2, c02); finish4(m, n + 3, c03);
  finish4(m + 4, n, c10); finish4(m + 4, n + 1, c11); finish4(m + 4, n + 2, c12); finish4(m + 4, n + 3, c13);
  finish4(m + 8, n, c20); finish4(m + 8, n + 1, c21); finish4(m + 8, n + 2, c22); finish4(m + 8, n + 3, c23);
  finish4(m + 12, n, c30); finish4(m + 12, n + 1, c31); finish4(m + 12, n + 2, c32); finish4(m + 12, n + 3, c33);
}

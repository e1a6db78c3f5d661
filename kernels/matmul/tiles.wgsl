// Barrier-free register tiles, one invocation each: the shape that CPU adapters want. A tile of 16 x 16 is built of 4x4
// blocks: block += b * a is four rows of a times four rows of b, and this order of multiply-adds keeps accumulators in
// registers.
struct Tile {
  c00: mat4x4f, c01: mat4x4f, c02: mat4x4f, c03: mat4x4f, c10: mat4x4f, c11: mat4x4f, c12: mat4x4f, c13: mat4x4f,
  c20: mat4x4f, c21: mat4x4f, c22: mat4x4f, c23: mat4x4f, c30: mat4x4f, c31: mat4x4f, c32: mat4x4f, c33: mat4x4f,
}

// First row and first group of columns of an invocation's tile; a row past the last one where it has none.
fn corner(id: vec3u, groups: vec3u) -> vec2u {
  let tile = linear_index(id, groups, 8);
  let tiles = (params.cols + 15) / 16;
  return vec2u((tile / tiles) * 16, (tile % tiles) * 4);
}

fn a_rows(row: u32, k: u32) -> mat4x4f { return mat4x4f(load0(row, k), load0(row + 1, k), load0(row + 2, k), load0(row + 3, k)); }

fn b_rows(k: u32, group: u32) -> mat4x4f {
  let row = params.b_row + 4 * k;
  return mat4x4f(load1(row, group), load1(row + 1, group), load1(row + 2, group), load1(row + 3, group));
}

fn b_columns(row: u32, k: u32) -> mat4x4f {
  let first = params.b_row + row;
  return transpose(mat4x4f(load1(first, k), load1(first + 1, k), load1(first + 2, k), load1(first + 3, k)));
}

// A (rows, inner) = in0 times B (inner, cols) = in1.
fn multiply_ab(m: u32, n: u32) -> Tile {
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
  return Tile(c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33);
}

// A (rows, inner) = in0 times the transpose of B (cols, inner) = in1.
fn multiply_abt(m: u32, n: u32) -> Tile {
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
  return Tile(c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33);
}

fn store4(row: u32, group: u32, block: mat4x4f) {
  store0(row, group, block[0]);
  store0(row + 1, group, block[1]);
  store0(row + 2, group, block[2]);
  store0(row + 3, group, block[3]);
}

fn store_tile(m: u32, n: u32, t: Tile) {
  store4(m, n, t.c00); store4(m, n + 1, t.c01); store4(m, n + 2, t.c02); store4(m, n + 3, t.c03);
  store4(m + 4, n, t.c10); store4(m + 4, n + 1, t.c11); store4(m + 4, n + 2, t.c12); store4(m + 4, n + 3, t.c13);
  store4(m + 8, n, t.c20); store4(m + 8, n + 1, t.c21); store4(m + 8, n + 2, t.c22); store4(m + 8, n + 3, t.c23);
  store4(m + 12, n, t.c30); store4(m + 12, n + 1, t.c31); store4(m + 12, n + 2, t.c32); store4(m + 12, n + 3, t.c33);
}

// Epilogues in a loop: sixteen copies would take longer to compile than all the rest.
fn finish_tile(m: u32, n: u32, t: Tile) {
  if (PLAIN != 0) {
    store_tile(m, n, t);
    return;
  }
  var blocks = array<mat4x4f, 16>(
    t.c00, t.c01, t.c02, t.c03, t.c10, t.c11, t.c12, t.c13, t.c20, t.c21, t.c22, t.c23, t.c30, t.c31, t.c32, t.c33
  );
  for (var i = 0u; i < 16; i++) { finish4(m + i / 4 * 4, n + i % 4, blocks[i]); }
}

// C = A B, with bias or addend = in2 -> C = out0.
@compute @workgroup_size(8) fn matmul(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u
) {
  let at = corner(id, groups);
  if (at.x < params.rows) { finish_tile(at.x, at.y, multiply_ab(at.x, at.y)); }
}

// C = A B^T, with bias or addend = in2 -> C = out0.
@compute @workgroup_size(8) fn matmul_bt(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u
) {
  let at = corner(id, groups);
  if (at.x < params.rows) { finish_tile(at.x, at.y, multiply_abt(at.x, at.y)); }
}

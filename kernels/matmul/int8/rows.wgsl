// A B^T with B in eight bits and a scale for each of its rows: the tiles of tiles.wgsl, whose second operand is unpacked
// from words of four numbers. Words and scales have rows in whole tiles.
@group(0) @binding(10) var<storage, read> words: array<u32>;
@group(0) @binding(11) var<storage, read> scales: array<vec4f>;

fn a_rows(row: u32, k: u32) -> mat4x4f { return mat4x4f(load0(row, k), load0(row + 1, k), load0(row + 2, k), load0(row + 3, k)); }

fn unpacked(at: u32) -> vec4f {
  return vec4f((vec4i(bitcast<i32>(words[at])) << vec4u(24, 16, 8, 0)) >> vec4u(24));
}

fn b_columns(at: u32, groups: u32) -> mat4x4f {
  return transpose(mat4x4f(
    unpacked(at), unpacked(at + groups), unpacked(at + 2 * groups), unpacked(at + 3 * groups),
  ));
}

fn scaled(c: mat4x4f, scale: vec4f) -> mat4x4f { return mat4x4f(c[0] * scale, c[1] * scale, c[2] * scale, c[3] * scale); }

// A (rows, inner) = in0, B (cols, inner) = words and scales, bias or addend = in2 -> C = out0. Tile 16 x 16.
@compute @workgroup_size(8) fn matmul_int8(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) count: vec3u) {
  let tile = linear_index(id, count, 8);
  let tiles = (params.cols + 15) / 16;
  let n = (tile % tiles) * 4;
  let m = (tile / tiles) * 16;
  if (m >= params.rows) { return; }
  var c00 = mat4x4f(); var c01 = mat4x4f(); var c02 = mat4x4f(); var c03 = mat4x4f();
  var c10 = mat4x4f(); var c11 = mat4x4f(); var c12 = mat4x4f(); var c13 = mat4x4f();
  var c20 = mat4x4f(); var c21 = mat4x4f(); var c22 = mat4x4f(); var c23 = mat4x4f();
  var c30 = mat4x4f(); var c31 = mat4x4f(); var c32 = mat4x4f(); var c33 = mat4x4f();
  let groups = (params.inner + 3) / 4;
  for (var k = 0u; k < groups; k++) {
    let at = 4 * n * groups + k;
    let b0 = b_columns(at, groups);
    let b1 = b_columns(at + 4 * groups, groups);
    let b2 = b_columns(at + 8 * groups, groups);
    let b3 = b_columns(at + 12 * groups, groups);
    let a0 = a_rows(m, k);
    let a1 = a_rows(m + 4, k);
    let a2 = a_rows(m + 8, k);
    let a3 = a_rows(m + 12, k);
    c00 += b0 * a0; c10 += b0 * a1; c20 += b0 * a2; c30 += b0 * a3;
    c01 += b1 * a0; c11 += b1 * a1; c21 += b1 * a2; c31 += b1 * a3;
    c02 += b2 * a0; c12 += b2 * a1; c22 += b2 * a2; c32 += b2 * a3;
    c03 += b3 * a0; c13 += b3 * a1; c23 += b3 * a2; c33 += b3 * a3;
  }
  let s0 = scales[n]; let s1 = scales[n + 1]; let s2 = scales[n + 2]; let s3 = scales[n + 3];
  finish4(m, n, scaled(c00, s0)); finish4(m, n + 1, scaled(c01, s1)); finish4(m, n + 2, scaled(c02, s2)); finish4(m, n + 3, scaled(c03, s3));
  finish4(m + 4, n, scaled(c10, s0)); finish4(m + 4, n + 1, scaled(c11, s1)); finish4(m + 4, n + 2, scaled(c12, s2)); finish4(m + 4, n + 3, scaled(c13, s3));
  finish4(m + 8, n, scaled(c20, s0)); finish4(m + 8, n + 1, scaled(c21, s1)); finish4(m + 8, n + 2, scaled(c22, s2)); finish4(m + 8, n + 3, scaled(c23, s3));
  finish4(m + 12, n, scaled(c30, s0)); finish4(m + 12, n + 1, scaled(c31, s1)); finish4(m + 12, n + 2, scaled(c32, s2)); finish4(m + 12, n + 3, scaled(c33, s3));
}

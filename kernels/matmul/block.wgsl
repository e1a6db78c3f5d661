// One 4x4 block of the result an invocation: little code, for adapters that take seconds to compile larger tiles.
fn a_rows(row: u32, k: u32) -> mat4x4f { return mat4x4f(load0(row, k), load0(row + 1, k), load0(row + 2, k), load0(row + 3, k)); }

// C = A B: A (rows, inner) = in0, B (inner, cols) = in1, bias (1, cols) = in2 -> C = out0.
@compute @workgroup_size(64) fn matmul(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = linear_index(id, groups, 64);
  let blocks = (params.cols + 3) / 4;
  let n = block % blocks;
  let m = (block / blocks) * 4;
  if (m >= params.rows) { return; }
  var c = mat4x4f();
  let steps = (params.inner + 3) / 4;
  for (var k = 0u; k < steps; k++) {
    let row = params.b_row + 4 * k;
    let group = params.b_group + n;
    c += mat4x4f(load1(row, group), load1(row + 1, group), load1(row + 2, group), load1(row + 3, group)) * a_rows(m, k);
  }
  finish4(m, n, c);
}

// C = A B^T: A (rows, inner) = in0, B (cols, inner) = in1, bias = in2 -> C = out0.
@compute @workgroup_size(64) fn matmul_bt(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let block = linear_index(id, groups, 64);
  let blocks = (params.cols + 3) / 4;
  let n = block % blocks;
  let m = (block / blocks) * 4;
  if (m >= params.rows) { return; }
  var c = mat4x4f();
  let steps = (params.inner + 3) / 4;
  let row = params.b_row + 4 * n;
  for (var k = 0u; k < steps; k++) {
    let group = params.b_group + k;
    let b = mat4x4f(load1(row, group), load1(row + 1, group), load1(row + 2, group), load1(row + 3, group));
    c += transpose(b) * a_rows(m, k);
  }
  finish4(m, n, c);
}

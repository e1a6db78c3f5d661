// Zeros outside of the blocks on the diagonal of a matrix: block p has its own rows and the p-th equal part of the
// columns.
struct Params {
  rows: u32, groups: u32,
  block_groups: u32, // of a block's columns
  starts0: u32, starts1: u32, starts2: u32, starts3: u32, // first row of each block
  ends0: u32, ends1: u32, ends2: u32, ends3: u32,         // the row after its last
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read_write> values: array<vec4f>;

@compute @workgroup_size(16, 8) fn keep_blocks(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let starts = vec4u(params.starts0, params.starts1, params.starts2, params.starts3);
  let ends = vec4u(params.ends0, params.ends1, params.ends2, params.ends3);
  let block = id.x / params.block_groups;
  if (id.y < starts[block] || id.y >= ends[block]) { values[id.y * params.groups + id.x] = vec4f(0); }
}

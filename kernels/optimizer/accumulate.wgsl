// sum += x, four elements at a time.
struct Params {
  groups: u32, // groups of four
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> x: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> sum: array<vec4f>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP) fn accumulate(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let at = linear_index(id, count, WORKGROUP);
  if (at >= params.groups) { return; }
  sum[at] += x[at];
}

// The running average of all parameters, four at a time: d average + (1 - d) values.
struct Params {
  length: u32, // elements of the slice
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read_write> average: array<vec4f>;
@group(0) @binding(11) var<storage, read> values: array<vec4f>;
// d is its fourth element.
@group(0) @binding(12) var<storage, read> hyper: array<vec4f>;
// Its third element is not 0 where the gradient was not finite.
@group(0) @binding(13) var<storage, read> clip: array<vec4f>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP) fn running_average(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let at = linear_index(id, count, WORKGROUP);
  if (at * 4 >= params.length || clip[0].z != 0) { return; }
  let old = average[at];
  let inside = at * 4 + vec4u(0, 1, 2, 3) < vec4u(params.length);
  average[at] = select(old, hyper[0].w * old + (1 - hyper[0].w) * values[at], inside);
}

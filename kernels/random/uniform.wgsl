// Follows philox.wgsl.
struct Params { groups: u32, stream: u32 }
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> seed: vec4u; // key low, key high, step, unused
@group(0) @binding(11) var<storage, read_write> uniforms: array<vec4f>;

@compute @workgroup_size(64) fn random_uniform(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_index(id, groups, 64);
  if (i >= params.groups) { return; }
  // 24 bits fill the mantissa: every value is exact and below 1.
  uniforms[i] = vec4f(philox(vec4u(i, params.stream, seed.z, 0), seed.xy) >> vec4u(8)) * 0x1p-24;
}

// Matrix operands in rgba32float storage textures: (rows, cols) is cols/4 texels wide and rows high.
// Reads outside give 0. What they write is told in texture_outputs.wgsl and staged_outputs.wgsl.
@group(0) @binding(0) var in0: texture_storage_2d<rgba32float, read>;
@group(0) @binding(1) var in1: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var in2: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var in3: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var in4: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var in5: texture_storage_2d<rgba32float, read>;

fn load0(row: u32, group: u32) -> vec4f { return textureLoad(in0, vec2u(group, row)); }
fn load1(row: u32, group: u32) -> vec4f { return textureLoad(in1, vec2u(group, row)); }
fn load2(row: u32, group: u32) -> vec4f { return textureLoad(in2, vec2u(group, row)); }
fn load3(row: u32, group: u32) -> vec4f { return textureLoad(in3, vec2u(group, row)); }
fn load4(row: u32, group: u32) -> vec4f { return textureLoad(in4, vec2u(group, row)); }
fn load5(row: u32, group: u32) -> vec4f { return textureLoad(in5, vec2u(group, row)); }

// Index of an invocation in a one-dimensional grid that was folded into two dimensions.
fn linear_index(id: vec3u, groups: vec3u, workgroup: u32) -> u32 { return id.y * groups.x * workgroup + id.x; }

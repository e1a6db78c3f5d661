// Matrix operands in storage buffers, row-major in groups of four columns.
// Rows outside read as 0, writes outside are dropped: the same contract as operands/texture.wgsl.
@group(0) @binding(0) var<storage, read> in0: array<vec4f>;
@group(0) @binding(1) var<storage, read> in1: array<vec4f>;
@group(0) @binding(2) var<storage, read> in2: array<vec4f>;
@group(0) @binding(3) var<storage, read> in3: array<vec4f>;
@group(0) @binding(4) var<storage, read> in4: array<vec4f>;
@group(0) @binding(5) var<storage, read> in5: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> out0: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out1: array<vec4f>;
// (groups, rows) of in0..in5, out0, out1.
@group(0) @binding(21) var<uniform> shapes: array<vec4u, 8>;

fn load0(row: u32, group: u32) -> vec4f { if (row >= shapes[0].y) { return vec4f(0); } return in0[row * shapes[0].x + group]; }
fn load1(row: u32, group: u32) -> vec4f { if (row >= shapes[1].y) { return vec4f(0); } return in1[row * shapes[1].x + group]; }
fn load2(row: u32, group: u32) -> vec4f { if (row >= shapes[2].y) { return vec4f(0); } return in2[row * shapes[2].x + group]; }
fn load3(row: u32, group: u32) -> vec4f { if (row >= shapes[3].y) { return vec4f(0); } return in3[row * shapes[3].x + group]; }
fn load4(row: u32, group: u32) -> vec4f { if (row >= shapes[4].y) { return vec4f(0); } return in4[row * shapes[4].x + group]; }
fn load5(row: u32, group: u32) -> vec4f { if (row >= shapes[5].y) { return vec4f(0); } return in5[row * shapes[5].x + group]; }
fn store0(row: u32, group: u32, value: vec4f) {
  if (row < shapes[6].y && group < shapes[6].x) { out0[row * shapes[6].x + group] = value; }
}
fn store1(row: u32, group: u32, value: vec4f) {
  if (row < shapes[7].y && group < shapes[7].x) { out1[row * shapes[7].x + group] = value; }
}

// Index of an invocation in a one-dimensional grid that was folded into two dimensions.
fn linear_index(id: vec3u, groups: vec3u, workgroup: u32) -> u32 { return id.y * groups.x * workgroup + id.x; }

// Results that kernels store in buffers, whose rows start at multiples of 256 bytes, so that a copy takes them to their
// textures: see staging.ts. The same contract as texture_outputs.wgsl.
@group(0) @binding(6) var<storage, read_write> out0: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> out1: array<vec4f>;
// (groups from row to row, rows, groups) of out0, out1.
@group(0) @binding(21) var<uniform> shapes: array<vec4u, 2>;

fn store0(row: u32, group: u32, value: vec4f) {
  if (row < shapes[0].y && group < shapes[0].z) { out0[row * shapes[0].x + group] = value; }
}
fn store1(row: u32, group: u32, value: vec4f) {
  if (row < shapes[1].y && group < shapes[1].z) { out1[row * shapes[1].x + group] = value; }
}

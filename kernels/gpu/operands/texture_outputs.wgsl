// Results that kernels store in textures: writes outside are dropped.
@group(0) @binding(6) var out0: texture_storage_2d<rgba32float, write>;
@group(0) @binding(7) var out1: texture_storage_2d<rgba32float, write>;

fn store0(row: u32, group: u32, value: vec4f) { textureStore(out0, vec2u(group, row), value); }
fn store1(row: u32, group: u32, value: vec4f) { textureStore(out1, vec2u(group, row), value); }

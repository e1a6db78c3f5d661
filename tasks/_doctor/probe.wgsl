// out[0] = one[0] + one[0]: proves that a kernel compiles, runs and can be read back.
@group(0) @binding(0) var<storage, read> one: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(1)
fn add_one_and_one() {
  out[0] = one[0] + one[0];
}

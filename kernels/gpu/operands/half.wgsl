// Matrix operands in storage buffers as float16, two to a word; kernels compute in float32. Loads widen; stores round to
// nearest even, and what is too large becomes infinite, never the largest finite number: a norm shows it. Needs no
// `enable f16`, so it runs on adapters without shader-f16 too. Otherwise the contract of operands/buffer.wgsl.

@group(0) @binding(0) var<storage, read> in0: array<vec2u>;
@group(0) @binding(1) var<storage, read> in1: array<vec2u>;
@group(0) @binding(2) var<storage, read> in2: array<vec2u>;
@group(0) @binding(3) var<storage, read> in3: array<vec2u>;
@group(0) @binding(4) var<storage, read> in4: array<vec2u>;
@group(0) @binding(5) var<storage, read> in5: array<vec2u>;
@group(0) @binding(6) var<storage, read_write> out0: array<vec2u>;
@group(0) @binding(7) var<storage, read_write> out1: array<vec2u>;
// (groups, rows) of in0..in5, out0, out1.
@group(0) @binding(21) var<uniform> shapes: array<vec4u, 8>;

// Bit i is set where the operand at binding i holds float32.
override F32_OPERANDS: u32 = 0;

fn widen(v: vec2u) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }
fn narrow(v: vec4f) -> vec2u { return vec2u(pack2x16float(v.xy), pack2x16float(v.zw)); }
fn join(low: vec2u, high: vec2u) -> vec4f { return vec4f(bitcast<vec2f>(low), bitcast<vec2f>(high)); }

// Reads outside are harmless and thrown away: a branch in their place doubles the time that compilers need.
fn load0(row: u32, group: u32) -> vec4f {
  let at = row * shapes[0].x + group;
  let inside = row < shapes[0].y;
  if ((F32_OPERANDS & 1) != 0) { return select(vec4f(0), join(in0[2 * at], in0[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in0[at]), inside);
}
fn load1(row: u32, group: u32) -> vec4f {
  let at = row * shapes[1].x + group;
  let inside = row < shapes[1].y;
  if ((F32_OPERANDS & 2) != 0) { return select(vec4f(0), join(in1[2 * at], in1[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in1[at]), inside);
}
fn load2(row: u32, group: u32) -> vec4f {
  let at = row * shapes[2].x + group;
  let inside = row < shapes[2].y;
  if ((F32_OPERANDS & 4) != 0) { return select(vec4f(0), join(in2[2 * at], in2[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in2[at]), inside);
}
fn load3(row: u32, group: u32) -> vec4f {
  let at = row * shapes[3].x + group;
  let inside = row < shapes[3].y;
  if ((F32_OPERANDS & 8) != 0) { return select(vec4f(0), join(in3[2 * at], in3[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in3[at]), inside);
}
fn load4(row: u32, group: u32) -> vec4f {
  let at = row * shapes[4].x + group;
  let inside = row < shapes[4].y;
  if ((F32_OPERANDS & 16) != 0) { return select(vec4f(0), join(in4[2 * at], in4[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in4[at]), inside);
}
fn load5(row: u32, group: u32) -> vec4f {
  let at = row * shapes[5].x + group;
  let inside = row < shapes[5].y;
  if ((F32_OPERANDS & 32) != 0) { return select(vec4f(0), join(in5[2 * at], in5[2 * at + 1]), inside); }
  return select(vec4f(0), widen(in5[at]), inside);
}
fn store0(row: u32, group: u32, value: vec4f) {
  if (row >= shapes[6].y || group >= shapes[6].x) { return; }
  let at = row * shapes[6].x + group;
  if ((F32_OPERANDS & 64) != 0) {
    out0[2 * at] = bitcast<vec2u>(value.xy);
    out0[2 * at + 1] = bitcast<vec2u>(value.zw);
  } else {
    out0[at] = narrow(value);
  }
}
fn store1(row: u32, group: u32, value: vec4f) {
  if (row >= shapes[7].y || group >= shapes[7].x) { return; }
  let at = row * shapes[7].x + group;
  if ((F32_OPERANDS & 128) != 0) {
    out1[2 * at] = bitcast<vec2u>(value.xy);
    out1[2 * at + 1] = bitcast<vec2u>(value.zw);
  } else {
    out1[at] = narrow(value);
  }
}

// Index of an invocation in a one-dimensional grid that was folded into two dimensions.
fn linear_index(id: vec3u, groups: vec3u, workgroup: u32) -> u32 { return id.y * groups.x * workgroup + id.x; }

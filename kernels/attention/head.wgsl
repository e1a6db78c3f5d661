// One attention head in registers: up to 8 blocks of 16 numbers. Lines that name more blocks than a head has are left out
// before the file is compiled: the compiler of the CPU adapter would take ten times as long to find that they do nothing.
// Structs of matrices stay in registers on CPU adapters, arrays do not.
override GROUPS: u32 = 8;  // head dimension / 4

struct Head {
  b0: mat4x4f,
  b1: mat4x4f, // BLOCKS > 1
  b2: mat4x4f, // BLOCKS > 2
  b3: mat4x4f, // BLOCKS > 3
  b4: mat4x4f, // BLOCKS > 4
  b5: mat4x4f, // BLOCKS > 5
  b6: mat4x4f, // BLOCKS > 6
  b7: mat4x4f, // BLOCKS > 7
}

fn dot16(a: mat4x4f, b: mat4x4f) -> f32 {
  return dot(a[0], b[0]) + dot(a[1], b[1]) + dot(a[2], b[2]) + dot(a[3], b[3]);
}

fn head_dot(a: Head, b: Head) -> f32 {
  var sum = dot16(a.b0, b.b0);
  sum += dot16(a.b1, b.b1); // BLOCKS > 1
  sum += dot16(a.b2, b.b2); // BLOCKS > 2
  sum += dot16(a.b3, b.b3); // BLOCKS > 3
  sum += dot16(a.b4, b.b4); // BLOCKS > 4
  sum += dot16(a.b5, b.b5); // BLOCKS > 5
  sum += dot16(a.b6, b.b6); // BLOCKS > 6
  sum += dot16(a.b7, b.b7); // BLOCKS > 7
  return sum;
}

// a * s + x * t
fn head_mix(a: Head, s: f32, x: Head, t: f32) -> Head {
  var r: Head;
  r.b0 = a.b0 * s + x.b0 * t;
  r.b1 = a.b1 * s + x.b1 * t; // BLOCKS > 1
  r.b2 = a.b2 * s + x.b2 * t; // BLOCKS > 2
  r.b3 = a.b3 * s + x.b3 * t; // BLOCKS > 3
  r.b4 = a.b4 * s + x.b4 * t; // BLOCKS > 4
  r.b5 = a.b5 * s + x.b5 * t; // BLOCKS > 5
  r.b6 = a.b6 * s + x.b6 * t; // BLOCKS > 6
  r.b7 = a.b7 * s + x.b7 * t; // BLOCKS > 7
  return r;
}

fn head_scale(a: Head, s: f32) -> Head {
  var zero: Head;
  return head_mix(a, s, zero, 0);
}

// Loads of a head from in0..in3 and stores to out0: `first` is its first group of columns.
fn group0(row: u32, first: u32, g: u32) -> vec4f {
  if (g >= GROUPS) { return vec4f(0); }
  return load0(row, first + g);
}
fn block0(row: u32, first: u32, b: u32) -> mat4x4f {
  return mat4x4f(group0(row, first, b), group0(row, first, b + 1), group0(row, first, b + 2), group0(row, first, b + 3));
}
fn head0(row: u32, first: u32) -> Head {
  var h: Head;
  h.b0 = block0(row, first, 0);
  h.b1 = block0(row, first, 4); // BLOCKS > 1
  h.b2 = block0(row, first, 8); // BLOCKS > 2
  h.b3 = block0(row, first, 12); // BLOCKS > 3
  h.b4 = block0(row, first, 16); // BLOCKS > 4
  h.b5 = block0(row, first, 20); // BLOCKS > 5
  h.b6 = block0(row, first, 24); // BLOCKS > 6
  h.b7 = block0(row, first, 28); // BLOCKS > 7
  return h;
}

fn group1(row: u32, first: u32, g: u32) -> vec4f {
  if (g >= GROUPS) { return vec4f(0); }
  return load1(row, first + g);
}
fn block1(row: u32, first: u32, b: u32) -> mat4x4f {
  return mat4x4f(group1(row, first, b), group1(row, first, b + 1), group1(row, first, b + 2), group1(row, first, b + 3));
}
fn head1(row: u32, first: u32) -> Head {
  var h: Head;
  h.b0 = block1(row, first, 0);
  h.b1 = block1(row, first, 4); // BLOCKS > 1
  h.b2 = block1(row, first, 8); // BLOCKS > 2
  h.b3 = block1(row, first, 12); // BLOCKS > 3
  h.b4 = block1(row, first, 16); // BLOCKS > 4
  h.b5 = block1(row, first, 20); // BLOCKS > 5
  h.b6 = block1(row, first, 24); // BLOCKS > 6
  h.b7 = block1(row, first, 28); // BLOCKS > 7
  return h;
}

fn group2(row: u32, first: u32, g: u32) -> vec4f {
  if (g >= GROUPS) { return vec4f(0); }
  return load2(row, first + g);
}
fn block2(row: u32, first: u32, b: u32) -> mat4x4f {
  return mat4x4f(group2(row, first, b), group2(row, first, b + 1), group2(row, first, b + 2), group2(row, first, b + 3));
}
fn head2(row: u32, first: u32) -> Head {
  var h: Head;
  h.b0 = block2(row, first, 0);
  h.b1 = block2(row, first, 4); // BLOCKS > 1
  h.b2 = block2(row, first, 8); // BLOCKS > 2
  h.b3 = block2(row, first, 12); // BLOCKS > 3
  h.b4 = block2(row, first, 16); // BLOCKS > 4
  h.b5 = block2(row, first, 20); // BLOCKS > 5
  h.b6 = block2(row, first, 24); // BLOCKS > 6
  h.b7 = block2(row, first, 28); // BLOCKS > 7
  return h;
}

fn group3(row: u32, first: u32, g: u32) -> vec4f {
  if (g >= GROUPS) { return vec4f(0); }
  return load3(row, first + g);
}
fn block3(row: u32, first: u32, b: u32) -> mat4x4f {
  return mat4x4f(group3(row, first, b), group3(row, first, b + 1), group3(row, first, b + 2), group3(row, first, b + 3));
}
fn head3(row: u32, first: u32) -> Head {
  var h: Head;
  h.b0 = block3(row, first, 0);
  h.b1 = block3(row, first, 4); // BLOCKS > 1
  h.b2 = block3(row, first, 8); // BLOCKS > 2
  h.b3 = block3(row, first, 12); // BLOCKS > 3
  h.b4 = block3(row, first, 16); // BLOCKS > 4
  h.b5 = block3(row, first, 20); // BLOCKS > 5
  h.b6 = block3(row, first, 24); // BLOCKS > 6
  h.b7 = block3(row, first, 28); // BLOCKS > 7
  return h;
}

fn store_group0(row: u32, first: u32, g: u32, value: vec4f) {
  if (g < GROUPS) { store0(row, first + g, value); }
}
fn store_block0(row: u32, first: u32, b: u32, m: mat4x4f) {
  store_group0(row, first, b, m[0]);
  store_group0(row, first, b + 1, m[1]);
  store_group0(row, first, b + 2, m[2]);
  store_group0(row, first, b + 3, m[3]);
}
fn store_head0(row: u32, first: u32, h: Head) {
  store_block0(row, first, 0, h.b0);
  store_block0(row, first, 4, h.b1); // BLOCKS > 1
  store_block0(row, first, 8, h.b2); // BLOCKS > 2
  store_block0(row, first, 12, h.b3); // BLOCKS > 3
  store_block0(row, first, 16, h.b4); // BLOCKS > 4
  store_block0(row, first, 20, h.b5); // BLOCKS > 5
  store_block0(row, first, 24, h.b6); // BLOCKS > 6
  store_block0(row, first, 28, h.b7); // BLOCKS > 7
}

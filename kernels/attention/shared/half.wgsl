// Products of tiles in float16, whose operands are float16 already, so that staging rounds nothing. Four terms are multiplied
// and added in float16, where each meets at most four roundings, then these sums are added in float32. What is too large for
// float16 becomes infinite there and is computed again in float32.
alias Four = vec4h;

// Whether a number is infinite or none, read from its bits: compilers may take comparisons for granted.
fn is_lost(sum: f32) -> bool { return (bitcast<u32>(sum) & 0x7f800000) == 0x7f800000; }

// Row y of one tile times row x of another.
fn dot_ab(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += f32(dot(a_tile[g * STRIDE + y], b_tile[g * STRIDE + x])); }
  if (!is_lost(sum)) { return sum; }
  sum = 0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(vec4f(a_tile[g * STRIDE + y]), vec4f(b_tile[g * STRIDE + x])); }
  return sum;
}
fn dot_ac(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += f32(dot(a_tile[g * STRIDE + y], c_tile[g * STRIDE + x])); }
  if (!is_lost(sum)) { return sum; }
  sum = 0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(vec4f(a_tile[g * STRIDE + y]), vec4f(c_tile[g * STRIDE + x])); }
  return sum;
}
fn dot_bc(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += f32(dot(b_tile[g * STRIDE + y], c_tile[g * STRIDE + x])); }
  if (!is_lost(sum)) { return sum; }
  sum = 0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(vec4f(b_tile[g * STRIDE + y]), vec4f(c_tile[g * STRIDE + x])); }
  return sum;
}

// Four rows of a group of c_tile, from row j on.
fn c_block(group: u32, j: u32) -> mat4x4h {
  let at = group * STRIDE + j;
  return mat4x4h(c_tile[at], c_tile[at + 1], c_tile[at + 2], c_tile[at + 3]);
}

// The 16 rows of c_tile times a number each, summed: one group of columns. The numbers are rounded to float16.
fn weighted(w: mat4x4f, group: u32) -> vec4f {
  let sum = vec4f(c_block(group, 0) * vec4h(w[0])) + vec4f(c_block(group, 4) * vec4h(w[1])) +
    vec4f(c_block(group, 8) * vec4h(w[2])) + vec4f(c_block(group, 12) * vec4h(w[3]));
  if (!(is_lost(sum.x) || is_lost(sum.y) || is_lost(sum.z) || is_lost(sum.w))) { return sum; }
  return mat4x4f(c_block(group, 0)) * w[0] + mat4x4f(c_block(group, 4)) * w[1] +
    mat4x4f(c_block(group, 8)) * w[2] + mat4x4f(c_block(group, 12)) * w[3];
}

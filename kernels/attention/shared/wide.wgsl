// Products of tiles in float32.
alias Four = vec4f;

// Row y of one tile times row x of another.
fn dot_ab(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(a_tile[g * STRIDE + y], b_tile[g * STRIDE + x]); }
  return sum;
}
fn dot_ac(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(a_tile[g * STRIDE + y], c_tile[g * STRIDE + x]); }
  return sum;
}
fn dot_bc(y: u32, x: u32) -> f32 {
  var sum = 0.0;
  for (var g = 0u; g < GROUPS; g++) { sum += dot(b_tile[g * STRIDE + y], c_tile[g * STRIDE + x]); }
  return sum;
}

// Four rows of a group of c_tile, from row j on.
fn c_block(group: u32, j: u32) -> mat4x4f {
  let at = group * STRIDE + j;
  return mat4x4f(c_tile[at], c_tile[at + 1], c_tile[at + 2], c_tile[at + 3]);
}

// The 16 rows of c_tile times a number each, summed: one group of columns.
fn weighted(w: mat4x4f, group: u32) -> vec4f {
  return c_block(group, 0) * w[0] + c_block(group, 4) * w[1] + c_block(group, 8) * w[2] + c_block(group, 12) * w[3];
}

// Follows tile.wgsl: blocks in float16, whose operands are float16 already, so that staging rounds nothing. Eight terms of
// a sum are multiplied and added in float16, where each meets at most five roundings, then they are added in float32.
// What is too large for float16 becomes infinite there: a tile that has such a sum is computed again in float32, so a
// result is infinite only where float32 makes it so.
alias Four = vec4h;
alias Block = mat4x4h;

var<workgroup> too_large: atomic<u32>;
var<workgroup> again: u32;

fn terms(s: u32, y: u32, x: u32) -> mat4x4f {
  return mat4x4f(b_block(s, x) * a_block(s, y) + b_block(s + 1, x) * a_block(s + 1, y));
}
fn exact_terms(s: u32, y: u32, x: u32) -> mat4x4f {
  return mat4x4f(b_block(s, x)) * mat4x4f(a_block(s, y)) +
    mat4x4f(b_block(s + 1, x)) * mat4x4f(a_block(s + 1, y));
}

// Whether a number is infinite or none, read from its bits: compilers may take comparisons for granted.
fn is_lost(v: vec4f) -> bool { return any((bitcast<vec4u>(v) & vec4u(0x7f800000)) == vec4u(0x7f800000)); }
fn is_block_lost(b: mat4x4f) -> bool { return is_lost(b[0]) || is_lost(b[1]) || is_lost(b[2]) || is_lost(b[3]); }

// Product of the tile whose first block of rows is m and first group of columns is n. Contains barriers.
fn multiply(me: u32, m: u32, n: u32, steps: u32) -> Blocks {
  let c = multiply_in(me, m, n, steps, false);
  var lost = is_block_lost(c.c00);
  if (BLOCKS > 1) { lost = lost || is_block_lost(c.c01) || is_block_lost(c.c10) || is_block_lost(c.c11); }
  if (lost) { atomicStore(&too_large, 1); }
  workgroupBarrier();
  if (me == 0) { again = atomicLoad(&too_large); }
  if (workgroupUniformLoad(&again) == 0) { return c; }
  return multiply_in(me, m, n, steps, true);
}

fn multiply_in(me: u32, m: u32, n: u32, steps: u32, is_exact: bool) -> Blocks {
  let x = me % SIDE;
  let y = me / SIDE;
  var c: Blocks;
  for (var k = 0u; k < steps; k += STEP) {
    stage(me, m, n, k, steps);
    workgroupBarrier();
    for (var s = 0u; s < STEP; s += 2) {
      if (is_exact) {
        c.c00 += exact_terms(s, y, x);
        if (BLOCKS > 1) {
          c.c10 += exact_terms(s, y + SIDE, x);
          c.c01 += exact_terms(s, y, x + SIDE);
          c.c11 += exact_terms(s, y + SIDE, x + SIDE);
        }
      } else {
        c.c00 += terms(s, y, x);
        if (BLOCKS > 1) {
          c.c10 += terms(s, y + SIDE, x);
          c.c01 += terms(s, y, x + SIDE);
          c.c11 += terms(s, y + SIDE, x + SIDE);
        }
      }
    }
    workgroupBarrier();
  }
  return c;
}

// Follows tile.wgsl: blocks in float32.
alias Four = vec4f;
alias Block = mat4x4f;

// Product of the tile whose first block of rows is m and first group of columns is n. Contains barriers.
fn multiply(me: u32, m: u32, n: u32, steps: u32) -> Blocks {
  let x = me % SIDE;
  let y = me / SIDE;
  var c: Blocks;
  for (var k = 0u; k < steps; k += STEP) {
    stage(me, m, n, k, steps);
    workgroupBarrier();
    for (var s = 0u; s < STEP; s++) {
      let a0 = a_block(s, y);
      let b0 = b_block(s, x);
      c.c00 += b0 * a0;
      if (BLOCKS > 1) {
        let a1 = a_block(s, y + SIDE);
        let b1 = b_block(s, x + SIDE);
        c.c10 += b0 * a1;
        c.c01 += b1 * a0;
        c.c11 += b1 * a1;
      }
    }
    workgroupBarrier();
  }
  return c;
}

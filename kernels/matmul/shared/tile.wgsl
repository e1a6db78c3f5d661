// Matmul for GPUs: a workgroup of SIDE x SIDE invocations computes a square tile of C and stages 16 steps of the
// contraction at a time in workgroup memory. An invocation holds BLOCKS x BLOCKS blocks of 4 x 4, SIDE blocks apart, so
// that neighbours read neighbouring groups. The files that follow have `source_a(row, group)` and `source_b`, and what
// multiplies: wide.wgsl in float32, half.wgsl in float16.
override SIDE: u32 = 16;
override BLOCKS: u32 = 1;      // 1 or 2
override A_BY_ROWS: bool = true;  // A is stored as rows of C, else by the contraction
override B_BY_COLS: bool = false; // B is stored as columns of C, else by the contraction
override THREADS: u32 = 256;      // SIDE * SIDE
override TILE: u32 = 256;         // 16 * SIDE * BLOCKS

const STEP = 4u; // groups of the contraction that are staged together

// Element ((4 k + r), t) is the vec4 of block t that a block product needs as column r of step k: four numbers along
// the contraction where the operand is stored by rows or columns of C, four rows or columns of C otherwise.
var<workgroup> a_tile: array<Four, TILE>;
var<workgroup> b_tile: array<Four, TILE>;

struct Blocks { c00: mat4x4f, c01: mat4x4f, c10: mat4x4f, c11: mat4x4f }

// Where in a tile, and in the operand relative to the tile, the `i`th vec4 goes: neighbours read neighbouring groups.
fn stored_across(i: u32) -> vec3u { // (row, group) of an operand that is stored across the contraction
  let row = i / STEP;
  let k = i % STEP;
  return vec3u(row, k, (4 * k + row % 4) * SIDE * BLOCKS + row / 4);
}
fn stored_along(i: u32) -> vec3u {
  return vec3u(i / (SIDE * BLOCKS), i % (SIDE * BLOCKS), i);
}

// Steps past the end must be zeros in both operands: memory after a row belongs to the next row.
fn stage(me: u32, m: u32, n: u32, k: u32, steps: u32) {
  for (var i = me; i < TILE; i += THREADS) {
    var a = vec4f(0);
    if (A_BY_ROWS) {
      let at = stored_across(i);
      if (k + at.y < steps) { a = source_a(4 * m + at.x, k + at.y); }
      a_tile[at.z] = Four(a);
    } else {
      let at = stored_along(i);
      if (4 * k + at.x < 4 * steps) { a = source_a(4 * k + at.x, m + at.y); }
      a_tile[at.z] = Four(a);
    }
    var b = vec4f(0);
    if (B_BY_COLS) {
      let at = stored_across(i);
      if (k + at.y < steps) { b = source_b(4 * n + at.x, k + at.y); }
      b_tile[at.z] = Four(b);
    } else {
      let at = stored_along(i);
      if (4 * k + at.x < 4 * steps) { b = source_b(4 * k + at.x, n + at.y); }
      b_tile[at.z] = Four(b);
    }
  }
}

fn a_block(k: u32, t: u32) -> Block {
  let at = 4 * k * SIDE * BLOCKS + t;
  let row = SIDE * BLOCKS;
  let block = Block(a_tile[at], a_tile[at + row], a_tile[at + 2 * row], a_tile[at + 3 * row]);
  if (A_BY_ROWS) { return block; }
  return transpose(block);
}

fn b_block(k: u32, t: u32) -> Block {
  let at = 4 * k * SIDE * BLOCKS + t;
  let row = SIDE * BLOCKS;
  let block = Block(b_tile[at], b_tile[at + row], b_tile[at + 2 * row], b_tile[at + 3 * row]);
  if (B_BY_COLS) { return transpose(block); }
  return block;
}

fn store_tile(me: u32, m: u32, n: u32, c: Blocks) {
  let group = n + me % SIDE;
  let row = 4 * (m + me / SIDE);
  finish4(row, group, c.c00);
  if (BLOCKS > 1) {
    finish4(row, group + SIDE, c.c01);
    finish4(row + 4 * SIDE, group, c.c10);
    finish4(row + 4 * SIDE, group + SIDE, c.c11);
  }
}

// One workgroup a tile, in a one-dimensional grid that may be folded; all of it is uniform in the workgroup.
fn compute_tile(me: u32, workgroup: vec3u, groups: vec3u) {
  let tile = workgroup.y * groups.x + workgroup.x;
  let side = SIDE * BLOCKS; // of a tile, in blocks
  let across = ((params.cols + 3) / 4 + side - 1) / side;
  let m = tile / across * side;
  let n = tile % across * side;
  if (4 * m >= params.rows) { return; }
  store_tile(me, m, n, multiply(me, m, n, (params.inner + 3) / 4));
}

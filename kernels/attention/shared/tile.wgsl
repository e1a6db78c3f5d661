// Attention for GPUs: workgroup memory of blocks of 16 queries and 16 keys. A tile holds 16 rows of one head; group g of
// row r is at g * STRIDE + r, which keeps both 16 rows of a group and 16 groups of a row in different banks. The files that
// follow say what tiles hold and how they are multiplied (wide.wgsl), and how invocations share numbers
// (alone.wgsl or subgroups.wgsl, then exchange.wgsl).
override GROUPS: u32 = 8; // head dimension / 4, at most 32
override TILE: u32 = 136; // GROUPS * STRIDE

const BLOCK = 16u;
const STRIDE = 17u;
const THREADS = 256u;

var<workgroup> a_tile: array<Four, TILE>;
var<workgroup> b_tile: array<Four, TILE>;
var<workgroup> c_tile: array<Four, TILE>;
// A number for each pair of rows: (y, x) is at y * STRIDE + x.
var<workgroup> pairs: array<f32, 272>;
var<workgroup> weights: array<f32, 272>;
var<workgroup> spans: array<vec4u, 16>;
var<workgroup> union_of_spans: vec4u;

fn joined(all: vec2u, span: vec2u) -> vec2u {
  if (span.x >= span.y) { return all; }
  return vec2u(min(all.x, span.x), max(all.y, span.y));
}

// Smallest intervals that hold those of all 16 `spans`, the same in every invocation. Contains barriers.
fn reach(me: u32) -> vec4u {
  workgroupBarrier();
  if (me == 0) {
    var first = vec2u(0xffffffff, 0);
    var second = first;
    for (var i = 0u; i < BLOCK; i++) {
      first = joined(first, spans[i].xy);
      second = joined(second, spans[i].zw);
    }
    union_of_spans = vec4u(first, second);
  }
  return workgroupUniformLoad(&union_of_spans);
}

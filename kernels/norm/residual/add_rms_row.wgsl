// Follows philox.wgsl. Residual addition and the RMSNorm that follows it, in one pass over memory: what the entry points
// share that have an invocation a row (add_rms.wgsl) and a workgroup (add_rms_subgroups.wgsl). What is added may be
// dropped out first: a bit an element says what stays, so the backward pass draws no numbers.
struct Params {
  rows: u32,
  groups: u32,
  has_sum_gradient: u32,
  stream: u32,     // of random numbers
  threshold: u32,  // 65536 * rate: smaller draws are dropped
  width: f32,
  eps: f32,
  kept_scale: f32, // 65536 / (65536 - threshold)
}
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> seed: vec4u; // key low, key high, step, unused
// Bits of kept elements, those of eight groups of four to a word, ceil(groups / 8) words a row.
@group(0) @binding(11) var<storage, read_write> kept: array<u32>;

fn words() -> u32 { return (params.groups + 7) / 8; }

fn four_bits(draws: vec4u) -> u32 {
  let bits = select(vec4u(0), vec4u(1, 2, 4, 8), draws >= vec4u(params.threshold));
  return bits.x | bits.y | bits.z | bits.w;
}

// The eight groups from 8 * word on. 128 random bits serve two groups, in the order of dropout.wgsl.
fn draw_word(row: u32, word: u32) -> u32 {
  let pairs = (params.groups + 1) / 2;
  var bits = 0u;
  for (var pair = 4 * word; pair < min(4 * word + 4, pairs); pair++) {
    let draws = philox(vec4u(row * pairs + pair, params.stream, seed.z, 0), seed.xy);
    let both = four_bits(draws & vec4u(0xffff)) | (four_bits(draws >> vec4u(16)) << 4);
    bits |= both << (8 * (pair % 4));
  }
  return bits;
}

// What `bits` leave of the values of group g.
fn keep(bits: u32, g: u32, value: vec4f) -> vec4f {
  let mine = vec4u(bits >> (4 * (g % 8))) & vec4u(1, 2, 4, 8);
  return select(vec4f(0), value * params.kept_scale, mine != vec4u(0));
}

@group(0) @binding(10) var<storage, read_write> scales: array<f32>; // 1 / rms a row
@group(0) @binding(11) var<storage, read> kept_before: array<u32>;

// How the gradient of a row's norm becomes that of its sum: by the scale, and by the pull towards the sum itself.
fn gradient(row: u32, g: u32, scale: f32, pull: f32) -> vec4f {
  let dx = scale * load2(row, g) * load1(0, g) - pull * load0(row, g);
  if (params.has_sum_gradient != 0) { return dx + load3(row, g); }
  return dx;
}

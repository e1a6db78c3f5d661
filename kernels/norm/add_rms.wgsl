// Follows philox.wgsl. Residual addition and the RMSNorm that follows it, in one pass over memory: one invocation a row.
// What is added may be dropped out first: a bit an element says what stays, so the backward pass draws no numbers.
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

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// x (N, C) = in0, y (N, C) = in1, gain (1, C) = in2 -> x + y = out0, rmsnorm(x + y) * gain = out1
@compute @workgroup_size(64) fn add_rms_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g) + load1(row, g);
    squares += sum * sum;
    store0(row, g, sum);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  for (var g = 0u; g < params.groups; g++) {
    store1(row, g, (load0(row, g) + load1(row, g)) * scale * load2(0, g));
  }
}

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

// The same of x and dropout(y), with the bits in `kept`.
@compute @workgroup_size(64) fn drop_add_rms_norm(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let first = row * words();
  var squares = vec4f(0);
  for (var word = 0u; word < words(); word++) {
    let bits = draw_word(row, word);
    kept[first + word] = bits;
    for (var g = 8 * word; g < min(8 * word + 8, params.groups); g++) {
      let sum = load0(row, g) + keep(bits, g, load1(row, g));
      squares += sum * sum;
      store0(row, g, sum);
    }
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  for (var g = 0u; g < params.groups; g++) {
    store1(row, g, (load0(row, g) + keep(kept[first + g / 8], g, load1(row, g))) * scale * load2(0, g));
  }
}

@group(0) @binding(10) var<storage, read_write> scales: array<f32>; // 1 / rms a row
@group(0) @binding(11) var<storage, read> kept_before: array<u32>;

// How the gradient of a row's norm becomes that of its sum: by the scale, and by the pull towards the sum itself.
fn scale_and_pull(row: u32) -> vec2f {
  var squares = vec4f(0);
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g);
    squares += sum * sum;
    dots += sum * load2(row, g) * load1(0, g);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  scales[row] = scale;
  return vec2f(scale, sum4(dots) * scale * scale * scale / params.width);
}

fn gradient(row: u32, g: u32, scale: f32, pull: f32) -> vec4f {
  let dx = scale * load2(row, g) * load1(0, g) - pull * load0(row, g);
  if (params.has_sum_gradient != 0) { return dx + load3(row, g); }
  return dx;
}

// sum (N, C) = in0, gain (1, C) = in1, dNormed (N, C) = in2, dSum (N, C) = in3 if has_sum_gradient -> dx (N, C) = out0, scales
@compute @workgroup_size(64) fn add_rms_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let s = scale_and_pull(row);
  for (var g = 0u; g < params.groups; g++) { store0(row, g, gradient(row, g, s.x, s.y)); }
}

// The same, with the gradient dy (N, C) of what was dropped out = out1.
@compute @workgroup_size(64) fn drop_add_rms_norm_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let s = scale_and_pull(row);
  for (var g = 0u; g < params.groups; g++) {
    let dx = gradient(row, g, s.x, s.y);
    store0(row, g, dx);
    store1(row, g, keep(kept_before[row * words() + g / 8], g, dx));
  }
}

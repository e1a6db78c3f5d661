// AdamW whose moments are codes of eight bits in blocks of 256 numbers with a scale each (Dettmers et al. 2022,
// arXiv:2110.02861). A step uses the moments before they are coded anew.
struct Params {
  length: u32, // elements of the slice
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  eps: f32,
  weight_decay: f32,
}
@group(0) @binding(20) var<uniform> params: Params;
// Learning rate, 1 / (1 - beta1^t), 1 / (1 - beta2^t).
@group(0) @binding(10) var<storage, read> hyper: array<vec4f>;
// Norm, clip scale, 1 where the norm is not finite.
@group(0) @binding(11) var<storage, read> clip: array<vec4f>;
@group(0) @binding(12) var<storage, read> gradients: array<vec4f>;
// What codes stand for, of the first and the second moments, then the 255 limits between the codes of each.
@group(0) @binding(13) var<storage, read> codebook: array<f32>;
@group(0) @binding(14) var<storage, read_write> values: array<vec4f>;
// Four codes a word.
@group(0) @binding(15) var<storage, read_write> first: array<u32>;
@group(0) @binding(16) var<storage, read_write> second: array<u32>;
// Largest absolute moments of a block.
@group(0) @binding(17) var<storage, read_write> scales: array<vec2f>;

const WORKGROUP = 64u;
const BLOCK_GROUPS = 64u;
const SECOND = 256u;
const LIMITS = 512u;

struct Moments { first: vec4f, second: vec4f }

fn decoded(word: u32, book: u32) -> vec4f {
  return vec4f(
    codebook[book + (word & 255)],
    codebook[book + ((word >> 8) & 255)],
    codebook[book + ((word >> 16) & 255)],
    codebook[book + (word >> 24)],
  );
}

// Moments after the step; 0 past the end of the slice.
fn moments(group: u32, scale: vec2f) -> Moments {
  let g = gradients[group] * clip[0].y;
  let m = params.beta1 * (scale.x * decoded(first[group], 0)) + params.rest1 * g;
  let v = params.beta2 * (scale.y * decoded(second[group], SECOND)) + params.rest2 * g * g;
  let inside = group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.length);
  return Moments(select(vec4f(0), m, inside), select(vec4f(0), v, inside));
}

fn largest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

// The number of the code nearest to `x`; of two the lower one.
fn nearest(x: f32, limits: u32) -> u32 {
  var code = 0u;
  for (var step = 128u; step > 0; step /= 2) {
    if (codebook[limits + code + step - 1] < x) { code += step; }
  }
  return code;
}

@compute @workgroup_size(WORKGROUP) fn adamw_8bit(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let block = linear_index(id, count, WORKGROUP);
  let begin = block * BLOCK_GROUPS;
  let groups = (params.length + 3) / 4;
  if (begin >= groups || clip[0].z != 0) { return; }
  let end = min(groups, begin + BLOCK_GROUPS);
  let old_scale = scales[block];
  var scale = vec2f(0);
  for (var group = begin; group < end; group++) {
    let now = moments(group, old_scale);
    scale = max(scale, vec2f(largest(abs(now.first)), largest(now.second)));
  }
  scales[block] = scale;
  for (var group = begin; group < end; group++) {
    let now = moments(group, old_scale);
    let old = values[group];
    let change = now.first * hyper[0].y / (sqrt(now.second * hyper[0].z) + params.eps);
    let value = old - hyper[0].x * params.weight_decay * old - hyper[0].x * change;
    values[group] = select(old, value, group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.length));
    var words = vec2u(0);
    for (var lane = 0u; lane < 4; lane++) {
      let m = select(0, now.first[lane] / scale.x, scale.x > 0);
      let v = select(0, now.second[lane] / scale.y, scale.y > 0);
      // A second moment above 0 stays above 0: else a step would divide by epsilon alone.
      let code = max(nearest(v, LIMITS + SECOND), select(0u, 1u, now.second[lane] > 0));
      words |= vec2u(nearest(m, LIMITS), code) << vec2u(8 * lane);
    }
    first[group] = words.x;
    second[group] = words.y;
  }
}

// AdamW (Loshchilov and Hutter 2019, as torch.optim.AdamW) on a slice of all parameters, four at a time.
// 1 - beta comes from the host: taken here it would lose digits.
struct Params {
  length: u32, // elements of the slice
  decayed: u32,
  beta1: f32,
  beta2: f32,
  rest1: f32,
  rest2: f32,
  eps: f32,
  weight_decay: f32,
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(12) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(13) var<storage, read> gradients: array<vec4f>;
// Learning rate, 1 / (1 - beta1^t), 1 / (1 - beta2^t), decay of the average.
@group(0) @binding(14) var<storage, read> hyper: array<vec4f>;
// Norm, clip scale, 1 where the norm is not finite.
@group(0) @binding(15) var<storage, read> clip: array<vec4f>;
@group(0) @binding(16) var<storage, read_write> average: array<vec4f>;

const WORKGROUP = 64u;

// Steps one group and returns its new values. Lanes past the end stay as they are.
fn advance(at: u32) -> vec4f {
  let lanes = at * 4 + vec4u(0, 1, 2, 3);
  let inside = lanes < vec4u(params.length);
  let rate = hyper[0].x;
  let g = gradients[at] * clip[0].y;
  let old_first = first[at];
  let old_second = second[at];
  let old = values[at];
  let m = params.beta1 * old_first + params.rest1 * g;
  let v = params.beta2 * old_second + params.rest2 * g * g;
  let decay = select(vec4f(0), vec4f(params.weight_decay), lanes < vec4u(params.decayed));
  let change = m * hyper[0].y / (sqrt(v * hyper[0].z) + params.eps);
  let value = select(old, old - rate * decay * old - rate * change, inside);
  first[at] = select(old_first, m, inside);
  second[at] = select(old_second, v, inside);
  values[at] = value;
  return value;
}

fn skipped(at: u32) -> bool { return at * 4 >= params.length || clip[0].z != 0; }

@compute @workgroup_size(WORKGROUP) fn adamw(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let at = linear_index(id, count, WORKGROUP);
  if (skipped(at)) { return; }
  _ = advance(at);
}

// The same, and the running average of the values.
@compute @workgroup_size(WORKGROUP) fn adamw_average(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let at = linear_index(id, count, WORKGROUP);
  if (skipped(at)) { return; }
  let value = advance(at);
  let old = average[at];
  let inside = at * 4 + vec4u(0, 1, 2, 3) < vec4u(params.length);
  average[at] = select(old, hyper[0].w * old + (1 - hyper[0].w) * value, inside);
}

// Functions with f(0) = 0, so that padding lanes stay 0.
struct Params { rows: u32, groups: u32, name: u32 }
@group(0) @binding(20) var<uniform> params: Params;

const RELU = 0u;
const SILU = 1u;
const GELU = 2u;
const GELU_ERF = 3u;

// The clamp keeps exp finite: WGSL does not promise infinities.
fn sigmoid(x: vec4f) -> vec4f { return 1 / (1 + exp(min(-x, vec4f(80)))); }

// 0.5 (1 + tanh(u)) = sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3); overflows of x^3 end at 0 and 1.
const TWICE_SQRT = 1.5957691216057308;
fn gelu_gate(x: vec4f) -> vec4f { return sigmoid(TWICE_SQRT * (x + 0.044715 * x * x * x)); }

// Normal distribution function, by formula 7.1.26 of Abramowitz and Stegun for erfc: absolute error below 1e-7.
fn normal_cdf(x: vec4f) -> vec4f {
  let z = abs(x) * 0.7071067811865476;
  let t = 1 / (1 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * series * exp(max(-z * z, vec4f(-80)));
  return select(1 - tail, tail, x < vec4f(0));
}

fn activate(x: vec4f) -> vec4f {
  switch params.name {
    case RELU: { return max(x, vec4f(0)); }
    case SILU: { return x * sigmoid(x); }
    case GELU: { return x * gelu_gate(x); }
    default: { return x * normal_cdf(x); }
  }
}

fn slope(x: vec4f) -> vec4f {
  switch params.name {
    case RELU: { return select(vec4f(0), vec4f(1), x > vec4f(0)); }
    case SILU: { let s = sigmoid(x); return s * (1 + x * (1 - s)); }
    case GELU: { let s = gelu_gate(x); return s * (1 + (1 - s) * TWICE_SQRT * x * (1 + 3 * 0.044715 * x * x)); }
    default: { return normal_cdf(x) + x * 0.3989422804014327 * exp(max(-0.5 * x * x, vec4f(-80))); }
  }
}

// x (N, C) = in0 -> f(x) (N, C) = out0
@compute @workgroup_size(16, 8) fn activation(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  store0(id.y, id.x, activate(load0(id.y, id.x)));
}

// x (N, C) = in0, dy (N, C) = in1 -> f'(x) dy (N, C) = out0
@compute @workgroup_size(16, 8) fn activation_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  store0(id.y, id.x, slope(load0(id.y, id.x)) * load1(id.y, id.x));
}

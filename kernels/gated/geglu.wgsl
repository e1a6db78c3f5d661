struct Params { rows: u32, groups: u32 } // groups of four in the gate
@group(0) @binding(20) var<uniform> params: Params;

// 0.5 (1 + tanh(u)) = sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3). The clamp keeps exp finite: WGSL does not
// promise infinities.
const TWICE_SQRT = 1.5957691216057308;
fn share(x: vec4f) -> vec4f {
  return 1 / (1 + exp(min(-TWICE_SQRT * (x + 0.044715 * x * x * x), vec4f(80))));
}

// gate | up (T, 2I) = in0 -> gelu(gate) * up (T, I) = out0
@compute @workgroup_size(16, 8) fn geglu(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  store0(id.y, id.x, gate * share(gate) * load0(id.y, params.groups + id.x));
}

// gate | up (T, 2I) = in0, dy (T, I) = in1 -> dGate | dUp (T, 2I) = out0
@compute @workgroup_size(16, 8) fn geglu_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  let up = load0(id.y, params.groups + id.x);
  let dy = load1(id.y, id.x);
  let s = share(gate);
  let slope = s * (1 + (1 - s) * TWICE_SQRT * gate * (1 + 3 * 0.044715 * gate * gate));
  store0(id.y, id.x, dy * up * slope);
  store0(id.y, params.groups + id.x, dy * gate * s);
}

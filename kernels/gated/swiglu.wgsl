struct Params { rows: u32, groups: u32 } // groups of four in the gate
@group(0) @binding(20) var<uniform> params: Params;

// The clamp keeps exp finite: WGSL does not promise infinities.
fn sigmoid(x: vec4f) -> vec4f { return 1 / (1 + exp(min(-x, vec4f(80)))); }

// gate | up (T, 2I) = in0 -> silu(gate) * up (T, I) = out0
@compute @workgroup_size(16, 8) fn swiglu(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  store0(id.y, id.x, gate * sigmoid(gate) * load0(id.y, params.groups + id.x));
}

// gate | up (T, 2I) = in0, dy (T, I) = in1 -> dGate | dUp (T, 2I) = out0
@compute @workgroup_size(16, 8) fn swiglu_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  let up = load0(id.y, params.groups + id.x);
  let dy = load1(id.y, id.x);
  let s = sigmoid(gate);
  store0(id.y, id.x, dy * up * s * (1 + gate * (1 - s)));
  store0(id.y, params.groups + id.x, dy * gate * s);
}

// gate (T, I) = in0, up (T, I) = in1 -> silu(gate) * up (T, I) = out0
@compute @workgroup_size(16, 8) fn swiglu_pair(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  store0(id.y, id.x, gate * sigmoid(gate) * load1(id.y, id.x));
}

// gate (T, I) = in0, up (T, I) = in1, dy (T, I) = in2 -> dGate = out0, dUp = out1, (T, I) each
@compute @workgroup_size(16, 8) fn swiglu_pair_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let gate = load0(id.y, id.x);
  let dy = load2(id.y, id.x);
  let s = sigmoid(gate);
  store0(id.y, id.x, dy * load1(id.y, id.x) * s * (1 + gate * (1 - s)));
  store1(id.y, id.x, dy * gate * s);
}

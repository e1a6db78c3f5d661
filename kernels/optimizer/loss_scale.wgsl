// Dynamic loss scaling (Micikevicius et al. 2018, section 3.2), all of it on the device.
// State: x scale, y good steps in a row, z skipped steps so far.
struct WeightParams { length: u32 }
struct UpdateParams { max_norm: f32, interval: f32, least: f32, most: f32 }
@group(0) @binding(20) var<uniform> part: WeightParams;
@group(0) @binding(20) var<uniform> update: UpdateParams;

const WORKGROUP = 64u;

@group(0) @binding(10) var<storage, read> state: array<vec4f>;
@group(0) @binding(11) var<storage, read> weights: array<f32>;
@group(0) @binding(12) var<storage, read_write> scaled: array<f32>;

// weights (length) -> scaled (length)
@compute @workgroup_size(WORKGROUP) fn loss_scale_weights(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let i = linear_index(id, count, WORKGROUP);
  if (i >= part.length) { return; }
  scaled[i] = weights[i] * state[0].x;
}

@group(0) @binding(10) var<storage, read_write> next_state: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> norm: array<vec4f>; // result of gradNorm on scaled gradients

// norm -> that of the gradients themselves; its factor undoes the scale and clips. Then the state of the next step.
@compute @workgroup_size(1) fn loss_scale_update() {
  let state = next_state[0];
  let found = norm[0];
  let finite = found.z == 0;
  let length = found.x / state.x;
  var clip = 1.0;
  if (update.max_norm > 0) { clip = min(1, update.max_norm / (length + 1e-6)); }
  norm[0] = vec4f(length, select(0.0, clip / state.x, finite), found.z, state.x);

  if (!finite) {
    next_state[0] = vec4f(max(state.x / 2, update.least), 0, state.z + 1, 0);
    return;
  }
  let grows = state.y + 1 >= update.interval;
  next_state[0] = vec4f(
    select(state.x, min(state.x * 2, update.most), grows),
    select(state.y + 1, 0.0, grows),
    state.z,
    0,
  );
}

// Norm of all gradients and the factor that clips it, in two passes of fixed order.
struct PartParams { length: u32, lanes: u32, add: u32 }
struct NormParams { lanes: u32, max_norm: f32 }
@group(0) @binding(20) var<uniform> part: PartParams;
@group(0) @binding(20) var<uniform> norm: NormParams;

const WORKGROUP = 64u;

fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

@group(0) @binding(10) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(11) var<storage, read_write> partial: array<f32>;

// gradients (length) -> partial (lanes): sum of squares of every lanes-th group of four; adds to what other slices left.
@compute @workgroup_size(WORKGROUP) fn grad_norm_parts(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let lane = linear_index(id, count, WORKGROUP);
  if (lane >= part.lanes) { return; }
  let whole = part.length / 4;
  var squares = vec4f(0);
  for (var i = lane; i < whole; i += part.lanes) { let g = gradients[i]; squares += g * g; }
  if (part.length % 4 != 0 && lane == whole % part.lanes) {
    let inside = whole * 4 + vec4u(0, 1, 2, 3) < vec4u(part.length);
    let g = select(vec4f(0), gradients[whole], inside);
    squares += g * g;
  }
  var sum = sum4(squares);
  if (part.add != 0) { sum += partial[lane]; }
  partial[lane] = sum;
}

@group(0) @binding(10) var<storage, read> parts: array<f32>;
@group(0) @binding(11) var<storage, read_write> result: array<vec4f>;
var<workgroup> sums: array<f32, WORKGROUP>;

// parts (lanes) -> result: norm, clip scale, 1 if the norm is not finite, 0
@compute @workgroup_size(WORKGROUP) fn grad_norm_finish(@builtin(local_invocation_index) lane: u32) {
  var own = 0.0;
  for (var i = lane; i < norm.lanes; i += WORKGROUP) { own += parts[i]; }
  sums[lane] = own;
  workgroupBarrier();
  if (lane != 0) { return; }
  var squares = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) { squares += sums[i]; }
  // By its bits: compilers may take comparisons with NaN and infinity for constants.
  let finite = (bitcast<u32>(squares) & 0x7f800000u) != 0x7f800000u;
  let length = sqrt(squares);
  var scale = 1.0;
  if (norm.max_norm > 0) { scale = min(1, norm.max_norm / (length + 1e-6)); }
  result[0] = vec4f(length, select(0.0, scale, finite), select(1.0, 0.0, finite), 0);
}

// Sums of a flat array by label, in a fixed order: one workgroup a label, each invocation every 64th element.
const WORKGROUP = 64u;

struct Params { length: u32, labels: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> x: array<f32>;
@group(0) @binding(11) var<storage, read> label_of: array<u32>;
@group(0) @binding(12) var<storage, read_write> result: array<f32>;
@group(0) @binding(13) var<storage, read> control: array<u32>;

var<workgroup> partial: array<f32, WORKGROUP>;

// x (N), label_of (N) -> result[control[0] * labels + label] += sum of x where label_of is label
@compute @workgroup_size(WORKGROUP) fn sum_by_label(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let label = group.x;
  var own = 0.0;
  for (var i = lane; i < params.length; i += WORKGROUP) { own += select(0.0, x[i], label_of[i] == label); }
  partial[lane] = own;
  workgroupBarrier();
  if (lane != 0) { return; }
  var sum = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) { sum += partial[i]; }
  result[control[0] * params.labels + label] += sum;
}

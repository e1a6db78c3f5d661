// Sum of a flat array in a fixed order, for lists of a few thousand numbers: one workgroup, each invocation every 64th.
const WORKGROUP = 64u;

struct Params { length: u32, slot: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> x: array<f32>;
@group(0) @binding(11) var<storage, read_write> result: array<f32>;
@group(0) @binding(12) var<storage, read> control: array<u32>;

var<workgroup> partial: array<f32, WORKGROUP>;

fn total(lane: u32) -> f32 {
  var own = 0.0;
  for (var i = lane; i < params.length; i += WORKGROUP) { own += x[i]; }
  partial[lane] = own;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) { sum += partial[i]; }
  return sum;
}

// x (N) -> result[params.slot]
@compute @workgroup_size(WORKGROUP) fn sum_to_slot(@builtin(local_invocation_index) lane: u32) {
  let sum = total(lane);
  if (lane == 0) { result[params.slot] = sum; }
}

// x (N) -> result[control[0]]
@compute @workgroup_size(WORKGROUP) fn sum_to_control(@builtin(local_invocation_index) lane: u32) {
  let sum = total(lane);
  if (lane == 0) { result[control[0]] = sum; }
}

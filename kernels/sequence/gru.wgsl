// Gated recurrent unit over packed sequences, a workgroup a sequence: its state lies in workgroup memory, and a step ends
// with a barrier. Workgroups are as many as rows; those of rows that start no sequence end at once.
struct Params { rows: u32, groups: u32 } // groups of the state
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> positions: array<u32>; // of a row in its sequence
@group(0) @binding(11) var<storage, read> viewers: array<vec2u>; // end of a row's sequence in y; 0: the row is unused

const THREADS = 64u;
const MOST = 128u; // groups of the widest state

var<workgroup> state: array<vec4f, 256>; // two of them, read and written in turn
var<workgroup> carried: array<vec4f, 128>;
var<workgroup> slopes: array<vec4f, 384>;

// The clamp keeps exp finite: WGSL does not promise infinities.
fn sigmoid(x: vec4f) -> vec4f { return 1 / (1 + exp(min(-x, vec4f(80)))); }
fn bounded_tanh(x: vec4f) -> vec4f { return tanh(clamp(x, vec4f(-20), vec4f(20))); }

// Rows 4 g to 4 g + 3 of the weight (3H, H) = in1 times the state of this step.
fn recurrent(g: u32, from_group: u32) -> vec4f {
  var sum = load2(0, g);
  for (var k = 0u; k < params.groups; k++) {
    let h = state[from_group + k];
    sum += vec4f(dot(load1(4 * g, k), h), dot(load1(4 * g + 1, k), h), dot(load1(4 * g + 2, k), h), dot(load1(4 * g + 3, k), h));
  }
  return sum;
}

// x W + b (T, r | z | n) = in0, recurrent weight (r | z | n, H) = in1, its bias (1, 3H) = in2
// -> h (T, H) = out0, (T, r | z | n | W_n h + b_n) = out1
@compute @workgroup_size(64) fn gru(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) grid: vec3u,
) {
  let first = id.y * grid.x + id.x;
  if (first >= params.rows) { return; }
  if (positions[first] != 0) { return; }
  let H = params.groups;
  let end = viewers[first].y;
  if (end == 0) {
    for (var g = me; g < H; g += THREADS) { store0(first, g, vec4f(0)); }
    return;
  }
  for (var g = me; g < H; g += THREADS) { state[g] = vec4f(0); }
  workgroupBarrier();
  for (var row = first; row < end; row++) {
    let before = (row - first) % 2 * MOST;
    for (var g = me; g < H; g += THREADS) {
      let r = sigmoid(load0(row, g) + recurrent(g, before));
      let z = sigmoid(load0(row, H + g) + recurrent(H + g, before));
      let inner = recurrent(2 * H + g, before);
      let n = bounded_tanh(load0(row, 2 * H + g) + r * inner);
      let h = (1 - z) * n + z * state[before + g];
      state[MOST - before + g] = h;
      store0(row, g, h);
      store1(row, g, r);
      store1(row, H + g, z);
      store1(row, 2 * H + g, n);
      store1(row, 3 * H + g, inner);
    }
    workgroupBarrier();
  }
}

// (T, r | z | n | W_n h + b_n) = in0, h (T, H) = in1, dh (T, H) = in2, recurrent weight (3H, H) = in3
// -> gradient of x W + b (T, 3H) = out0, of the recurrent products W h + b (T, 3H) = out1
@compute @workgroup_size(64) fn gru_backward(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) grid: vec3u,
) {
  let first = id.y * grid.x + id.x;
  if (first >= params.rows) { return; }
  if (positions[first] != 0) { return; }
  let H = params.groups;
  let end = viewers[first].y;
  if (end == 0) {
    for (var g = me; g < 3 * H; g += THREADS) {
      store0(first, g, vec4f(0));
      store1(first, g, vec4f(0));
    }
    return;
  }
  for (var g = me; g < H; g += THREADS) { carried[g] = vec4f(0); }
  for (var row = end; row > first; row--) {
    let t = row - 1;
    for (var g = me; g < H; g += THREADS) {
      let r = load0(t, g);
      let z = load0(t, H + g);
      let n = load0(t, 2 * H + g);
      let inner = load0(t, 3 * H + g);
      var before = vec4f(0);
      if (t > first) { before = load1(t - 1, g); }
      let dh = load2(t, g) + carried[g];
      let dn = dh * (1 - z) * (1 - n * n);
      let dr = dn * inner * r * (1 - r);
      let dz = dh * (before - n) * z * (1 - z);
      store0(t, g, dr);
      store0(t, H + g, dz);
      store0(t, 2 * H + g, dn);
      store1(t, g, dr);
      store1(t, H + g, dz);
      store1(t, 2 * H + g, dn * r);
      slopes[g] = dr;
      slopes[H + g] = dz;
      slopes[2 * H + g] = dn * r;
      carried[g] = dh * z;
    }
    workgroupBarrier();
    for (var g = me; g < H; g += THREADS) {
      var sum = carried[g];
      for (var j = 0u; j < 3 * H; j++) {
        let d = slopes[j];
        sum += d.x * load3(4 * j, g) + d.y * load3(4 * j + 1, g) + d.z * load3(4 * j + 2, g) + d.w * load3(4 * j + 3, g);
      }
      carried[g] = sum;
    }
    workgroupBarrier();
  }
}

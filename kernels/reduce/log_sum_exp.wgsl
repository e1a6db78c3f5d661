// log(sum(exp(x))) of each row.
struct Params { rows: u32, cols: u32, has_before: u32 }
@group(0) @binding(20) var<uniform> params: Params;

fn inside(group: u32) -> vec4<bool> { return group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols); }
fn max4(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// x (R, V) = in0, the same of other columns (R, 1) = in1 if has_before -> (R, 1) = out0.
// One invocation a row, two passes over it.
@compute @workgroup_size(8) fn log_sum_exp(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let groups = (params.cols + 3) / 4;
  var tops = vec4f(-1e30);
  for (var g = 0u; g < groups; g++) { tops = max(tops, select(vec4f(-1e30), load0(row, g), inside(g))); }
  let top = max4(tops);
  var totals = vec4f(0);
  for (var g = 0u; g < groups; g++) { totals += select(vec4f(0), exp(load0(row, g) - top), inside(g)); }
  var result = top + log(sum4(totals));
  if (params.has_before != 0) {
    let before = load1(row, 0).x;
    let high = max(before, result);
    result = high + log(exp(before - high) + exp(result - high));
  }
  store0(row, 0, vec4f(result, 0, 0, 0));
}

// x (R, V) = in0, log-sum-exp (R, 1) = in1, its gradient (R, 1) = in2 -> dx (R, V) = out0
@compute @workgroup_size(16, 8) fn log_sum_exp_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  if (id.x >= (params.cols + 3) / 4 || row >= params.rows) { return; }
  let softmax = exp(load0(row, id.x) - load1(row, 0).x);
  store0(row, id.x, select(vec4f(0), softmax * load2(row, 0).x, inside(id.x)));
}

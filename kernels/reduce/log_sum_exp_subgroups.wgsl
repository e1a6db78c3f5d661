// Follows reduce/rows/subgroups.wgsl. log(sum(exp(x))) of each row as in log_sum_exp.wgsl, with a workgroup a row, in one pass.
struct Params { rows: u32, cols: u32, has_before: u32 }
@group(0) @binding(20) var<uniform> params: Params;

// x (R, V) = in0, the same of other columns (R, 1) = in1 if has_before -> (R, 1) = out0.
@compute @workgroup_size(TEAM) fn log_sum_exp_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  var mine = no_exponentials();
  for (var g = me.index; g < (params.cols + 3) / 4; g += TEAM) {
    mine = with_four(mine, load0(row, g), columns_of(g) < vec4u(params.cols));
  }
  let top = team_max(max4(mine.top), me);
  let total = sum4(team_sum(mine.exps * exp(mine.top - top), me));
  if (me.index > 0) { return; }
  var result = top + log(total);
  if (params.has_before != 0) {
    let before = load1(row, 0).x;
    let high = max(before, result);
    result = high + log(exp(before - high) + exp(result - high));
  }
  store0(row, 0, vec4f(result, 0, 0, 0));
}

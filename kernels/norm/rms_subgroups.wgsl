// Follows reduce/rows/subgroups.wgsl. RMSNorm as in rms.wgsl, with a workgroup a row: neighbours read neighbours.
struct Params { rows: u32, groups: u32, width: f32, eps: f32 }
@group(0) @binding(20) var<uniform> params: Params;

// x (N, C) = in0, gain (1, C) = in1 -> y (N, C) = out0
@compute @workgroup_size(TEAM) fn rms_norm_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  for (var g = me.index; g < params.groups; g += TEAM) { let x = load0(row, g); squares += x * x; }
  let total = sum4(team_sum(squares, me));
  let scale = inverseSqrt(total / params.width + params.eps);
  for (var g = me.index; g < params.groups; g += TEAM) { store0(row, g, load0(row, g) * scale * load1(0, g)); }
}

@group(0) @binding(10) var<storage, read_write> scales: array<f32>; // 1 / rms a row

// x = in0, gain = in1, dy (N, C) = in2 -> dx (N, C) = out0, scales
@compute @workgroup_size(TEAM) fn rms_norm_backward_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  var dots = vec4f(0);
  for (var g = me.index; g < params.groups; g += TEAM) {
    let x = load0(row, g);
    squares += x * x;
    dots += x * load2(row, g) * load1(0, g);
  }
  let totals = team_sum(vec4f(sum4(squares), sum4(dots), 0, 0), me);
  let scale = inverseSqrt(totals.x / params.width + params.eps);
  if (me.index == 0) { scales[row] = scale; }
  let pull = totals.y * scale * scale * scale / params.width;
  for (var g = me.index; g < params.groups; g += TEAM) {
    store0(row, g, scale * load2(row, g) * load1(0, g) - pull * load0(row, g));
  }
}

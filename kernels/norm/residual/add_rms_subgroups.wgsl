// Follows add_rms_row.wgsl and reduce/rows/subgroups.wgsl. A workgroup a row: neighbours read neighbours.

// x (N, C) = in0, y (N, C) = in1, gain (1, C) = in2 -> x + y = out0, rmsnorm(x + y) * gain = out1
@compute @workgroup_size(TEAM) fn add_rms_norm_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  for (var g = me.index; g < params.groups; g += TEAM) {
    let sum = load0(row, g) + load1(row, g);
    squares += sum * sum;
    store0(row, g, sum);
  }
  let total = sum4(team_sum(squares, me));
  let scale = inverseSqrt(total / params.width + params.eps);
  for (var g = me.index; g < params.groups; g += TEAM) {
    store1(row, g, (load0(row, g) + load1(row, g)) * scale * load2(0, g));
  }
}

// The same of x and dropout(y), with the bits in `kept`.
@compute @workgroup_size(TEAM) fn drop_add_rms_norm_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  let first = row * words();
  for (var word = me.index; word < words(); word += TEAM) { kept[first + word] = draw_word(row, word); }
  storageBarrier(); // all read what each has drawn
  var squares = vec4f(0);
  for (var g = me.index; g < params.groups; g += TEAM) {
    let sum = load0(row, g) + keep(kept[first + g / 8], g, load1(row, g));
    squares += sum * sum;
    store0(row, g, sum);
  }
  let total = sum4(team_sum(squares, me));
  let scale = inverseSqrt(total / params.width + params.eps);
  for (var g = me.index; g < params.groups; g += TEAM) {
    store1(row, g, (load0(row, g) + keep(kept[first + g / 8], g, load1(row, g))) * scale * load2(0, g));
  }
}

fn team_scale_and_pull(row: u32, me: Member) -> vec2f {
  var squares = vec4f(0);
  var dots = vec4f(0);
  for (var g = me.index; g < params.groups; g += TEAM) {
    let sum = load0(row, g);
    squares += sum * sum;
    dots += sum * load2(row, g) * load1(0, g);
  }
  let totals = team_sum(vec4f(sum4(squares), sum4(dots), 0, 0), me);
  let scale = inverseSqrt(totals.x / params.width + params.eps);
  if (me.index == 0) { scales[row] = scale; }
  return vec2f(scale, totals.y * scale * scale * scale / params.width);
}

// sum (N, C) = in0, gain (1, C) = in1, dNormed (N, C) = in2, dSum (N, C) = in3 if has_sum_gradient -> dx (N, C) = out0, scales
@compute @workgroup_size(TEAM) fn add_rms_norm_backward_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  let s = team_scale_and_pull(row, me);
  for (var g = me.index; g < params.groups; g += TEAM) { store0(row, g, gradient(row, g, s.x, s.y)); }
}

// The same, with the gradient dy (N, C) of what was dropped out = out1.
@compute @workgroup_size(TEAM) fn drop_add_rms_norm_backward_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= params.rows) { return; }
  let s = team_scale_and_pull(row, me);
  for (var g = me.index; g < params.groups; g += TEAM) {
    let dx = gradient(row, g, s.x, s.y);
    store0(row, g, dx);
    store1(row, g, keep(kept_before[row * words() + g / 8], g, dx));
  }
}

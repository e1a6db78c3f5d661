// Follows add_rms_row.wgsl. One invocation a row.
fn sum4(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// x (N, C) = in0, y (N, C) = in1, gain (1, C) = in2 -> x + y = out0, rmsnorm(x + y) * gain = out1
@compute @workgroup_size(64) fn add_rms_norm(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 64);
  if (row >= params.rows) { return; }
  var squares = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g) + load1(row, g);
    squares += sum * sum;
    store0(row, g, sum);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  for (var g = 0u; g < params.groups; g++) {
    store1(row, g, (load0(row, g) + load1(row, g)) * scale * load2(0, g));
  }
}

// The same of x and dropout(y), with the bits in `kept`.
@compute @workgroup_size(64) fn drop_add_rms_norm(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 64);
  if (row >= params.rows) { return; }
  let first = row * words();
  var squares = vec4f(0);
  for (var word = 0u; word < words(); word++) {
    let bits = draw_word(row, word);
    kept[first + word] = bits;
    for (var g = 8 * word; g < min(8 * word + 8, params.groups); g++) {
      let sum = load0(row, g) + keep(bits, g, load1(row, g));
      squares += sum * sum;
      store0(row, g, sum);
    }
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  for (var g = 0u; g < params.groups; g++) {
    store1(row, g, (load0(row, g) + keep(kept[first + g / 8], g, load1(row, g))) * scale * load2(0, g));
  }
}

fn scale_and_pull(row: u32) -> vec2f {
  var squares = vec4f(0);
  var dots = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let sum = load0(row, g);
    squares += sum * sum;
    dots += sum * load2(row, g) * load1(0, g);
  }
  let scale = inverseSqrt(sum4(squares) / params.width + params.eps);
  scales[row] = scale;
  return vec2f(scale, sum4(dots) * scale * scale * scale / params.width);
}

// sum (N, C) = in0, gain (1, C) = in1, dNormed (N, C) = in2, dSum (N, C) = in3 if has_sum_gradient -> dx (N, C) = out0, scales
@compute @workgroup_size(64) fn add_rms_norm_backward(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 64);
  if (row >= params.rows) { return; }
  let s = scale_and_pull(row);
  for (var g = 0u; g < params.groups; g++) { store0(row, g, gradient(row, g, s.x, s.y)); }
}

// The same, with the gradient dy (N, C) of what was dropped out = out1.
@compute @workgroup_size(64) fn drop_add_rms_norm_backward(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 64);
  if (row >= params.rows) { return; }
  let s = scale_and_pull(row);
  for (var g = 0u; g < params.groups; g++) {
    let dx = gradient(row, g, s.x, s.y);
    store0(row, g, dx);
    store1(row, g, keep(kept_before[row * words() + g / 8], g, dx));
  }
}

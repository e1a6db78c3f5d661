// Softmax over lists of uneven length that lie one after the other. One invocation a list: lists are short.
const WORKGROUP = 32u;

struct Params { lists: u32, rows: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> offsets: array<u32>; // (L + 1)
@group(0) @binding(11) var<storage, read> targets: array<u32>; // (L) row of the target
@group(0) @binding(12) var<storage, read> weights: array<f32>; // (L)

fn score(row: u32) -> f32 { return load0(row, 0).x; }

// Whether a list counts: its target is one of its rows, and its weight is not 0.
fn counts(list: u32) -> bool {
  let row = targets[list];
  return row >= offsets[list] && row < offsets[list + 1] && weights[list] != 0;
}

// Largest score and sum of exp(score - largest).
fn moments(list: u32) -> vec2f {
  var top = -3.4e38;
  for (var row = offsets[list]; row < offsets[list + 1]; row++) { top = max(top, score(row)); }
  var sum = 0.0;
  for (var row = offsets[list]; row < offsets[list + 1]; row++) { sum += exp(score(row) - top); }
  return vec2f(top, sum);
}

@group(0) @binding(13) var<storage, read_write> list_loss: array<f32>; // (L)

// scores (R, 1) = in0 -> list_loss (L)
@compute @workgroup_size(WORKGROUP) fn listwise_softmax(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let list = linear_index(id, count, WORKGROUP);
  if (list >= params.lists) { return; }
  var loss = 0.0;
  if (counts(list)) {
    let m = moments(list);
    loss = weights[list] * (log(m.y) + (m.x - score(targets[list])));
  }
  list_loss[list] = loss;
}

// scores (R, 1) = in0 -> their gradient (R, 1) = out0; the invocation after the last list clears the rows of no list.
@compute @workgroup_size(WORKGROUP) fn listwise_softmax_backward(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let list = linear_index(id, count, WORKGROUP);
  if (list > params.lists) { return; }
  let is_rest = list == params.lists;
  var end = params.rows;
  var weight = 0.0;
  var m = vec2f(0, 1);
  if (!is_rest) {
    end = offsets[list + 1];
    if (counts(list)) {
      weight = weights[list];
      m = moments(list);
    }
  }
  for (var row = offsets[list]; row < end; row++) {
    var value = 0.0;
    if (weight != 0) { value = weight * (exp(score(row) - m.x) / m.y - select(0.0, 1.0, row == targets[list])); }
    store0(row, 0, vec4f(value, 0, 0, 0));
  }
}

// Binary cross-entropy of each row against the item that is right and one that is not. One invocation a row.
struct Params { rows: u32, groups: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> weights: array<f32>;
@group(0) @binding(11) var<storage, read_write> row_loss: array<f32>;

// ln(1 + e^x), which neither overflows nor loses a small e^x.
fn softplus(x: f32) -> f32 {
  let e = exp(-abs(x));
  // Below 2^-12 the second term of the series is under the last digit of 1 + e.
  return max(x, 0) + select(log(1 + e), e - 0.5 * e * e, e < 0.000244140625);
}

fn sigmoid(x: f32) -> f32 { return 1 / (1 + exp(-x)); }

// Scores of the row's two items: hidden . items[row] and hidden . items[rows + row].
fn scores(row: u32) -> vec2f {
  var right = vec4f(0);
  var wrong = vec4f(0);
  for (var g = 0u; g < params.groups; g++) {
    let h = load0(row, g);
    right += h * load1(row, g);
    wrong += h * load1(params.rows + row, g);
  }
  return vec2f(dot(right, vec4f(1)), dot(wrong, vec4f(1)));
}

// hidden (R, C) = in0, items (2 R, C) = in1, weights (R) -> row_loss (R)
@compute @workgroup_size(64) fn sampled_bce(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let s = scores(row);
  row_loss[row] = 0.5 * weights[row] * (softplus(-s.x) + softplus(s.y));
}

// hidden (R, C) = in0, items (2 R, C) = in1, weights (R) -> dHidden (R, C) = out0, dItems (2 R, C) = out1
@compute @workgroup_size(64) fn sampled_bce_backward(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let s = scores(row);
  let right = -0.5 * weights[row] * sigmoid(-s.x);
  let wrong = 0.5 * weights[row] * sigmoid(s.y);
  for (var g = 0u; g < params.groups; g++) {
    let h = load0(row, g);
    store0(row, g, right * load1(row, g) + wrong * load1(params.rows + row, g));
    store1(row, g, right * h);
    store1(params.rows + row, g, wrong * h);
  }
}

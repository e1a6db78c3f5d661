// One level of residual quantisation: the codeword of each row goes from the residual to the sum.
struct Params { rows: u32, groups: u32, add: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> labels: array<u32>;

// residual (N, D) = in0, codebook (K, D) = in1, sum (N, D) = in2, labels (N)
// -> residual - codeword (N, D) = out0, sum + codeword (N, D) = out1, without the sum where it is not to be added to
@compute @workgroup_size(16, 8) fn vector_quantize(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let codeword = load1(labels[id.y], id.x);
  store0(id.y, id.x, load0(id.y, id.x) - codeword);
  var sum = codeword;
  if (params.add != 0) { sum += load2(id.y, id.x); }
  store1(id.y, id.x, sum);
}

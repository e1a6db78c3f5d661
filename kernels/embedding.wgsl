// Gradient of the embedding table: every token adds up its own rows of dy, in their order, so no atomics are needed.
struct Params { first: u32, tokens: u32, groups: u32, accumulate: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> offsets: array<u32>;
@group(0) @binding(11) var<storage, read> rows: array<u32>;
@group(0) @binding(12) var<storage, read_write> gradient: array<vec4f>;

// dy (T, C) = in0, offsets (V + 1), rows (T) -> gradient of the tokens from `first` on (tokens, C)
@compute @workgroup_size(16, 8) fn embed_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.tokens) { return; }
  let begin = offsets[params.first + id.y];
  let end = offsets[params.first + id.y + 1];
  if (params.accumulate != 0 && begin == end) { return; }
  let at = id.y * params.groups + id.x;
  var sum = vec4f(0);
  for (var i = begin; i < end; i++) { sum += load0(rows[i], id.x); }
  if (params.accumulate != 0) { sum += gradient[at]; }
  gradient[at] = sum;
}

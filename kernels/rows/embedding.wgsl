// Gradient of the embedding table: every token adds up its own rows of dy, in their order, so no atomics are needed.
struct Params { first: u32, tokens: u32, groups: u32, accumulate: u32 }
struct TokenParams { first: u32, rows: u32, groups: u32, tokens: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(20) var<uniform> token_params: TokenParams;
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

@group(0) @binding(10) var<storage, read> tokens: array<u32>;
@group(0) @binding(11) var<storage, read> token_offsets: array<u32>;
@group(0) @binding(12) var<storage, read> token_rows: array<u32>;
@group(0) @binding(13) var<storage, read_write> table_gradient: array<vec4f>;

// dy (T, C) = in0, different tokens (D), offsets (D + 1), rows (T) -> added to the gradient of the table's rows
// [first, first + rows). The cost goes with the tokens that occur, not with the vocabulary.
@compute @workgroup_size(16, 8) fn embed_tokens_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= token_params.groups || id.y >= token_params.tokens) { return; }
  let row = tokens[id.y] - token_params.first; // wraps to a large number left of the slice
  if (row >= token_params.rows) { return; }
  var sum = vec4f(0);
  for (var i = token_offsets[id.y]; i < token_offsets[id.y + 1]; i++) { sum += load0(token_rows[i], id.x); }
  let at = row * token_params.groups + id.x;
  table_gradient[at] = sum + table_gradient[at];
}

// Log-probabilities of the children of trie nodes, those of tokens that were read or written before made smaller. All
// three lists are laid out as in kernels/trie/log_softmax.wgsl: where the tokens of each node start, then the tokens.
struct Params {
  rows: u32,
  width: u32,           // rows a prompt
  nodes: u32,           // of the trie
  prompts: u32,
  capacity: u32,        // children that there is room for
  over_vocabulary: u32, // normalised over all tokens, else over the children alone
  penalty: f32,
}
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> trie: array<u32>;
@group(0) @binding(11) var<storage, read> nodes_of_rows: array<u32>;
@group(0) @binding(12) var<storage, read> prompt_tokens: array<u32>; // each once, ascending inside a prompt
@group(0) @binding(13) var<storage, read> path_tokens: array<u32>;   // from the root to each node of the trie, each once

// What transformers makes of a score: one below 0 is multiplied, another one divided.
fn penalised(score: f32) -> f32 { return select(score / params.penalty, score * params.penalty, score < 0); }

fn is_in_prompt(prompt: u32, token: u32) -> bool {
  let tokens = params.prompts + 1;
  var low = prompt_tokens[prompt];
  let end = prompt_tokens[prompt + 1];
  var high = end;
  while (low < high) {
    let middle = (low + high) / 2;
    if (prompt_tokens[tokens + middle] < token) { low = middle + 1; } else { high = middle; }
  }
  return low < end && prompt_tokens[tokens + low] == token;
}

fn is_on_path(node: u32, token: u32) -> bool {
  for (var at = path_tokens[node]; at < path_tokens[node + 1]; at++) {
    if (path_tokens[params.nodes + 1 + at] == token) { return true; }
  }
  return false;
}

// log-probabilities over the vocabulary of the children (R, capacity) = in0, of the tokens of the row's prompt (R, P)
// = in1, of the tokens on its path (R, D) = in2 -> those of the children (R, capacity) = out0, normalised anew
@compute @workgroup_size(8) fn repetition_penalty(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) { return; }
  let node = nodes_of_rows[row];
  let prompt = row / params.width;
  let groups = (params.capacity + 3) / 4;
  if (node >= params.nodes) {
    for (var g = 0u; g < groups; g++) { store0(row, g, vec4f(0)); }
    return;
  }
  let first = trie[node];
  let count = min(trie[node + 1] - first, params.capacity);
  // All probabilities add up to 1, so those of all tokens need what the seen ones lose alone.
  var log_sum = 0.0;
  if (params.over_vocabulary != 0) {
    var total = 1.0;
    for (var i = 0u; i < prompt_tokens[prompt + 1] - prompt_tokens[prompt]; i++) {
      let score = load1(row, i / 4)[i % 4];
      total += exp(penalised(score)) - exp(score);
    }
    for (var i = 0u; i < path_tokens[node + 1] - path_tokens[node]; i++) {
      if (is_in_prompt(prompt, path_tokens[params.nodes + 1 + path_tokens[node] + i])) { continue; }
      let score = load2(row, i / 4)[i % 4];
      total += exp(penalised(score)) - exp(score);
    }
    log_sum = log(max(total, 1e-30));
  } else {
    var top = -1e30;
    var total = 0.0;
    for (var child = 0u; child < count; child++) {
      let score = child_score(row, node, prompt, first, child);
      let higher = max(top, score);
      total = total * exp(top - higher) + exp(score - higher);
      top = higher;
    }
    log_sum = top + log(total);
  }
  for (var g = 0u; g < groups; g++) {
    var value = vec4f(0);
    for (var lane = 0u; lane < 4; lane++) {
      if (g * 4 + lane < count) { value[lane] = child_score(row, node, prompt, first, g * 4 + lane) - log_sum; }
    }
    store0(row, g, value);
  }
}

fn child_score(row: u32, node: u32, prompt: u32, first: u32, child: u32) -> f32 {
  let score = load0(row, child / 4)[child % 4];
  let token = trie[params.nodes + 1 + first + child];
  return select(score, penalised(score), is_in_prompt(prompt, token) || is_on_path(node, token));
}

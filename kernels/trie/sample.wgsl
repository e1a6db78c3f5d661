// Follows philox.wgsl and order.wgsl. One token of every draw, from the children of its node: with replacement.
struct Params {
  prompts: u32, width: u32,
  nodes: u32,       // of the trie
  depth: u32,       // 0: every draw is at the root
  top_k: u32,       // 0: all children
  guided: u32,      // the last draws of each prompt that follow its guide
  guide_depth: u32, // nodes of a guide
  temperature: f32,
  top_p: f32,       // 1: all children
}
@group(0) @binding(20) var<uniform> params: Params;

// Node and score of the draws (prompts, width): read and replaced.
@group(0) @binding(10) var<storage, read_write> nodes: array<u32>;
@group(0) @binding(11) var<storage, read_write> scores: array<f32>;
// What the draws were extended with; every one goes on from itself.
@group(0) @binding(12) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(13) var<storage, read_write> parents: array<u32>;
// Laid out as in log_softmax.wgsl.
@group(0) @binding(14) var<storage, read> trie: array<u32>;
@group(0) @binding(15) var<storage, read> seed: vec4u; // key low, key high, step, number of the first prompt

// Nodes that guided draws go through (prompts, guide_depth), NONE where a guide has ended.
@group(0) @binding(16) var<storage, read> guides: array<u32>;

const NONE = 0xffffffffu;
const STREAM = 0xffff0000u; // second word of counters, plus the depth: no dropout has such a number

// The children of a draw's node, and where their log-probabilities are.
struct Children { row: u32, count: u32, top: f32 }

fn log_prob(row: u32, child: u32) -> f32 { return load0(row, child / 4)[child % 4]; }

fn weight(x: f32, top: f32) -> f32 { return exp((x - top) / params.temperature); }

fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u)); }

// What a filter keeps: children above the key, and the first `ties` of those that have it.
struct Cut { key: u32, ties: u32 }
struct Amount { count: u32, mass: f32 }

// How many of the children kept by `cut` have at least this key, and their weight.
fn amount(children: Children, cut: Cut, key: u32) -> Amount {
  var sum = Amount(0, 0);
  var ties = 0u;
  for (var j = 0u; j < children.count; j++) {
    let x = log_prob(children.row, j);
    let own = key_of(x);
    if (own < cut.key || own < key) { continue; }
    if (own == cut.key) {
      ties++;
      if (ties > cut.ties) { continue; }
    }
    sum.count++;
    sum.mass += weight(x, children.top);
  }
  return sum;
}

// The k best children: the largest key that k of them reach, bit by bit, so that nothing need be sorted.
fn keep_top_k(children: Children, all: Cut) -> Cut {
  var key = 0u;
  for (var bit = 0x80000000u; bit > 0; bit >>= 1) {
    if (amount(children, all, key | bit).count >= params.top_k) { key |= bit; }
  }
  return Cut(key, params.top_k - amount(children, all, key + 1).count);
}

// The fewest best of the children in `cut` whose share of its weight is top_p or more.
fn keep_top_p(children: Children, cut: Cut) -> Cut {
  let goal = params.top_p * amount(children, cut, 0).mass;
  var key = 0u;
  for (var bit = 0x80000000u; bit > 0; bit >>= 1) {
    if (amount(children, cut, key | bit).mass >= goal) { key |= bit; }
  }
  let above = amount(children, cut, key + 1).mass;
  let each = weight(value_of(key), children.top);
  var ties = 1u;
  while (ties < children.count && above + f32(ties) * each < goal) { ties++; }
  return Cut(key, select(ties, min(ties, cut.ties), key == cut.key));
}

// The node that a draw is led to, NONE where it chooses.
fn guide_of(prompt: u32, place: u32) -> u32 {
  if (place + params.guided < params.width || params.depth >= params.guide_depth) { return NONE; }
  return guides[prompt * params.guide_depth + params.depth];
}

// log-probabilities = in0: (prompts, capacity) at depth 0, then (prompts * width, capacity).
// One invocation a draw.
@compute @workgroup_size(8) fn trie_sample(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let draw = linear_index(id, workgroups, 8);
  if (draw >= params.prompts * params.width) { return; }
  let prompt = draw / params.width;
  let place = draw % params.width;
  tokens[draw] = NONE;
  parents[draw] = place;
  var node = 0u;
  var score = 0.0;
  var children = Children(prompt, 0, -1e30);
  if (params.depth > 0) {
    node = nodes[draw];
    score = scores[draw];
    children.row = draw;
  }
  if (node >= params.nodes) { return; }
  let first_edge = trie[node];
  children.count = trie[node + 1] - first_edge;
  if (children.count == 0) { return; } // waits with its leaf
  for (var j = 0u; j < children.count; j++) { children.top = max(children.top, log_prob(children.row, j)); }

  var cut = Cut(0, children.count);
  if (params.top_k > 0 && params.top_k < children.count) { cut = keep_top_k(children, cut); }
  if (params.top_p < 1) { cut = keep_top_p(children, cut); }

  let bits = philox(vec4u(place, STREAM + params.depth, seed.z, seed.w + prompt), seed.xy);
  let goal = f32(bits.x >> 8) * 0x1p-24 * amount(children, cut, 0).mass;
  var chosen = NONE;
  var mass = 0.0;
  var ties = 0u;
  for (var j = 0u; j < children.count; j++) {
    let x = log_prob(children.row, j);
    let key = key_of(x);
    if (key < cut.key) { continue; }
    if (key == cut.key) {
      ties++;
      if (ties > cut.ties) { continue; }
    }
    let own = weight(x, children.top);
    if (!(own > 0)) { continue; }
    chosen = j; // the last one, should rounding leave the goal behind all of them
    mass += own;
    if (mass > goal) { break; }
  }
  let guide = guide_of(prompt, place);
  if (guide != NONE && chosen != NONE) { chosen = guide - first_edge - 1; }
  // Nothing to choose from where the log-probabilities are not finite.
  if (chosen == NONE || !(goal >= 0)) {
    nodes[draw] = NONE;
    scores[draw] = -1e30;
    return;
  }
  let child = first_edge + chosen + 1;
  nodes[draw] = child;
  scores[draw] = score + log_prob(children.row, chosen);
  if (trie[child] != trie[child + 1]) { tokens[draw] = trie[params.nodes + child]; }
}

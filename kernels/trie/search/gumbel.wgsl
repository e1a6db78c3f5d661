// Follows philox.wgsl and heap.wgsl. Stochastic beam search on a trie, which samples leaves without replacement: Kool,
// van Hoof and Welling 2019, algorithm 1. Every leaf's log-probability gets Gumbel noise and the `width` largest sums
// win; an inner node stands for the largest sum below it, and its children are drawn so that their largest is that.
struct Params {
  prompts: u32, width: u32,
  nodes: u32,       // of the trie
  capacity: u32,    // columns of log_probs
  depth: u32,       // 0: one beam a prompt, at the root
  temperature: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

struct Beam {
  node: u32,
  score: f32,     // log-probability
  tempered: f32,  // the same at the temperature; after trie_perturb, less the normaliser of its children
  perturbed: f32, // the largest sum of tempered log-probability and noise among the leaves below
}
// (2, prompts, width): a step reads one half and writes the other.
@group(0) @binding(10) var<storage, read_write> beams: array<Beam>;
// Laid out as in log_softmax.wgsl.
@group(0) @binding(11) var<storage, read> trie: array<u32>;
// Of trie_perturb: key low, key high, step, number of the first prompt.
@group(0) @binding(12) var<storage, read> seed: vec4u;
// Of trie_gumbel_topk: the best children, a binary heap a prompt with the worst on top.
@group(0) @binding(12) var<storage, read_write> lists: array<Entry>;
alias Entry = vec2u; // perturbed, beam * capacity + child
// Node of each beam, what it was extended with, and which beam it extends.
@group(0) @binding(13) var<storage, read_write> nodes: array<u32>;
@group(0) @binding(14) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(15) var<storage, read_write> parents: array<u32>;
// Of trie_gumbel_scores.
@group(0) @binding(11) var<storage, read_write> scores: array<f32>;

const NONE = 0xffffffffu;
const NO_BEAM = Beam(NONE, -1e30, -1e30, -1e30);
const STREAM = 0xffff0000u; // second word of counters: no dropout has such a number

// Where beam `place` of a prompt is before step `depth`.
fn slot(prompt: u32, place: u32, depth: u32) -> u32 {
  return ((depth % 2) * params.prompts + prompt) * params.width + place;
}

fn live_beams() -> u32 { return select(params.width, 1u, params.depth == 0); }

fn is_leaf(node: u32) -> bool { return trie[node] == trie[node + 1]; }

// log_probs = in0: (prompts, capacity) at depth 0, then (prompts * width, capacity).
fn log_prob(row: u32, child: u32) -> f32 { return load0(row, child / 4)[child % 4]; }

// -log(1 - w) of w = (bits + 1/2) / 2^32: a series where w is small, whose digits 1 - w would lose.
fn exponential(bits: u32) -> f32 {
  if (bits < 0x4000000u) {
    let w = (f32(bits) + 0.5) * 0x1p-32;
    return w * (1 + w * (1.0 / 2 + w * (1.0 / 3 + w * (1.0 / 4 + w * (1.0 / 5)))));
  }
  return -log((f32(~bits) + 0.5) * 0x1p-32);
}

// Gumbel noise of four edges. A node is met once in a search, so that edges name the counters of a prompt.
fn gumbels(prompt: u32, edges: u32) -> vec4f {
  let bits = philox(vec4u(edges, STREAM, seed.z, seed.w + prompt), seed.xy);
  return -log(vec4f(exponential(bits.x), exponential(bits.y), exponential(bits.z), exponential(bits.w)));
}

// log(1 - exp(x)) of x < 0.
fn log1mexp(x: f32) -> f32 {
  if (x < -0.5) { return log(1 - exp(x)); }
  // 1 - exp(x) cancels near 0: Taylor's series of (exp(x) - 1) / x.
  var series = 1.0;
  for (var n = 9.0; n > 1; n -= 1) { series = 1 + x / n * series; }
  return log(-x * series);
}

// log_probs = in0 -> perturbed log-probabilities of children = out0, in the shape of log_probs. One invocation a row.
@compute @workgroup_size(8) fn trie_perturb(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 8);
  let live = live_beams();
  if (row >= params.prompts * live) { return; }
  let prompt = row / live;
  let at = slot(prompt, row % live, params.depth);
  var beam = Beam(0, 0, 0, 0);
  if (params.depth > 0) { beam = beams[at]; }
  if (beam.node >= params.nodes) { return; }
  let first = trie[beam.node];
  let count = trie[beam.node + 1] - first;
  if (count == 0) { return; }

  var top = -1e30;
  for (var j = 0u; j < count; j++) { top = max(top, log_prob(row, j) / params.temperature); }
  var total = 0.0;
  for (var j = 0u; j < count; j++) { total += exp(log_prob(row, j) / params.temperature - top); }
  beam.tempered -= top + log(total);
  beams[at] = beam;

  // The largest of the children's sums, without regard to the beam's.
  var largest = -1e30;
  var noise = vec4f(0);
  for (var j = 0u; j < count; j++) {
    let edge = first + j;
    if (j == 0 || edge % 4 == 0) { noise = gumbels(prompt, edge / 4); }
    largest = max(largest, beam.tempered + log_prob(row, j) / params.temperature + noise[edge % 4]);
  }
  var value = vec4f(0);
  for (var j = 0u; j < count; j++) {
    let edge = first + j;
    if (j == 0 || edge % 4 == 0) { noise = gumbels(prompt, edge / 4); }
    let free = beam.tempered + log_prob(row, j) / params.temperature + noise[edge % 4];
    // Appendix B.3: -log(exp(-perturbed) - exp(-largest) + exp(-free)) without overflow.
    var bound = beam.perturbed;
    let gap = free - largest;
    if (!(gap >= 0)) {
      let v = beam.perturbed - free + log1mexp(gap);
      bound -= max(0.0, v) + log(1 + exp(-abs(v)));
    }
    value[j % 4] = bound;
    if (j % 4 == 3 || j + 1 == count) { store0(row, j / 4, value); }
  }
}

// The beam that an entry of the heap stands for.
fn beam_of(entry: Entry, prompt: u32) -> Beam {
  if (entry.y == NONE) { return NO_BEAM; }
  let place = entry.y / params.capacity;
  let child = entry.y % params.capacity;
  let parent = beams[slot(prompt, place, params.depth)];
  if (is_leaf(parent.node)) { return parent; }
  let own = log_prob(prompt * live_beams() + place, child);
  return Beam(
    trie[parent.node] + child + 1,
    parent.score + own,
    parent.tempered + own / params.temperature,
    bitcast<f32>(entry.x),
  );
}

// log_probs = in0, what trie_perturb made of them = in1. Leaves stay in the race with what others may become.
// One invocation a prompt.
@compute @workgroup_size(8) fn trie_gumbel_topk(@builtin(global_invocation_id) id: vec3u) {
  let prompt = id.x;
  if (prompt >= params.prompts) { return; }
  let base = prompt * params.width;
  for (var i = base; i < base + params.width; i++) { lists[i] = Entry(bitcast<u32>(-1e30f), NONE); }
  let live = live_beams();
  for (var place = 0u; place < live; place++) {
    let beam = beams[slot(prompt, place, params.depth)];
    if (beam.node >= params.nodes) { continue; }
    let count = trie[beam.node + 1] - trie[beam.node];
    if (count == 0) { offer(base, Entry(bitcast<u32>(beam.perturbed), place * params.capacity)); }
    for (var j = 0u; j < count; j++) {
      let perturbed = load1(prompt * live + place, j / 4)[j % 4];
      offer(base, Entry(bitcast<u32>(perturbed), place * params.capacity + j));
    }
  }
  sort_list(base);
  for (var i = 0u; i < params.width; i++) {
    let entry = lists[base + i];
    let beam = beam_of(entry, prompt);
    beams[slot(prompt, i, params.depth + 1)] = beam;
    nodes[base + i] = beam.node;
    parents[base + i] = select(entry.y / params.capacity, 0u, entry.y == NONE);
    var token = NONE;
    if (beam.node < params.nodes && !is_leaf(beam.node)) { token = trie[params.nodes + beam.node]; }
    tokens[base + i] = token;
  }
}

// Log-probabilities of the beams before step `depth`. One invocation a beam.
@compute @workgroup_size(8) fn trie_gumbel_scores(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let row = linear_index(id, workgroups, 8);
  if (row < params.prompts * params.width) { scores[row] = beams[slot(0, row, params.depth)].score; }
}

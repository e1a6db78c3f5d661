// One step of beam search on a trie: what topk.wgsl and topk_subgroups.wgsl share. Candidates are the children of the
// prompt's live beams; the best `width` inner nodes are kept and the best `next` of them run on, the best `width` leaves
// of all steps are kept as finished.
struct Params {
  prompts: u32, width: u32,
  nodes: u32,    // of the trie
  capacity: u32, // columns of log_probs
  live: u32,     // beams a prompt that run; 0 in the first step, which starts at the root
  next: u32,     // beams a prompt that run on
  // Places in `beams`: what is read, then what is written.
  live_nodes: u32, live_scores: u32,
  nodes_out: u32, scores_out: u32, tokens_out: u32, parents_out: u32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Of each step: nodes, tokens that the beams were extended with and beams that they extend (prompts, beams that run);
// scores (prompts, width), best first, those of beams that do not run on included.
@group(0) @binding(10) var<storage, read_write> beams: array<u32>;
// Two lists a prompt as binary heaps with the worst entry on top: (prompts, width) running, then as many finished.
@group(0) @binding(11) var<storage, read_write> lists: array<Entry>;
alias Entry = vec4u; // score, order among equal scores, node, token
// Laid out as in log_softmax.wgsl.
@group(0) @binding(12) var<storage, read> trie: array<u32>;

const NONE = 0xffffffffu;
const DEAD_SCORE = -1e30;

fn no_entry() -> Entry { return Entry(bitcast<u32>(DEAD_SCORE), NONE, NONE, NONE); }

// The kept entry that is the `place`th best of its prompt.
fn write_beam(prompt: u32, place: u32, entry: Entry) {
  beams[params.scores_out + prompt * params.width + place] = entry.x;
  if (place >= params.next) { return; }
  let at = prompt * params.next + place;
  beams[params.nodes_out + at] = entry.z;
  beams[params.tokens_out + at] = entry.w;
  beams[params.parents_out + at] = select(entry.y / params.capacity, 0u, entry.z == NONE);
}

struct Beam { first_edge: u32, count: u32, score: f32 }

fn live_beams() -> u32 { return max(params.live, 1); }

fn live_beam(prompt: u32, beam: u32) -> Beam {
  var node = 0u;
  var score = 0.0;
  if (params.live != 0) {
    node = beams[params.live_nodes + prompt * params.live + beam];
    score = bitcast<f32>(beams[params.live_scores + prompt * params.width + beam]);
  }
  if (node >= params.nodes) { return Beam(0, 0, 0); }
  return Beam(trie[node], trie[node + 1] - trie[node], score);
}

// The `child`th child of a beam as an entry, a leaf without a token.
// log_probs = in0: (prompts, capacity) in the first step, then (prompts * live, capacity).
fn candidate(prompt: u32, beam: u32, it: Beam, child: u32) -> Entry {
  let total = bitcast<u32>(it.score + load0(prompt * live_beams() + beam, child / 4)[child % 4]);
  let node = it.first_edge + child + 1;
  if (trie[node] == trie[node + 1]) { return Entry(total, node, node, NONE); }
  return Entry(total, beam * params.capacity + child, node, trie[params.nodes + node]);
}

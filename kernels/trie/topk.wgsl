// Follows heap.wgsl. One step of beam search on a trie. Candidates are the children of the prompt's live beams;
// the best `width` inner nodes are kept and the best `next` of them run on, the best `width` leaves of all steps are
// kept as finished.
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

fn clear_list(base: u32) {
  for (var i = 0u; i < params.width; i++) {
    lists[base + i] = vec4u(bitcast<u32>(DEAD_SCORE), NONE, NONE, NONE);
  }
}

// The kept entries become the beams, best first.
fn finish_step(prompt: u32) {
  let running = prompt * params.width;
  sort_list(running);
  for (var i = 0u; i < params.width; i++) {
    let entry = lists[running + i];
    beams[params.scores_out + running + i] = entry.x;
    if (i >= params.next) { continue; }
    let place = prompt * params.next + i;
    beams[params.nodes_out + place] = entry.z;
    beams[params.tokens_out + place] = entry.w;
    beams[params.parents_out + place] = select(entry.y / params.capacity, 0u, entry.z == NONE);
  }
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

// log_probs = in0: (prompts, capacity) in the first step, then (prompts * live, capacity).
// One invocation a prompt.
@compute @workgroup_size(8) fn trie_topk(@builtin(global_invocation_id) id: vec3u) {
  let prompt = id.x;
  if (prompt >= params.prompts) { return; }
  let running = prompt * params.width;
  let finished = (params.prompts + prompt) * params.width;
  clear_list(running);
  if (params.live == 0) { clear_list(finished); }
  for (var beam = 0u; beam < live_beams(); beam++) {
    let it = live_beam(prompt, beam);
    for (var j = 0u; j < it.count; j++) {
      let total = bitcast<u32>(it.score + load0(prompt * live_beams() + beam, j / 4)[j % 4]);
      let child = it.first_edge + j + 1;
      if (trie[child] == trie[child + 1]) {
        offer(finished, vec4u(total, child, child, NONE));
      } else {
        let token = trie[params.nodes + 1 + it.first_edge + j];
        offer(running, vec4u(total, beam * params.capacity + j, child, token));
      }
    }
  }
  finish_step(prompt);
}

// The same with a workgroup a prompt, for GPUs: all read candidates, the first one keeps those that beat the worst kept,
// which soon are few. Entries are all different, so the order in which they arrive does not matter.
const TEAM = 64u;
var<workgroup> current: Beam;
var<workgroup> survivors: array<vec4u, TEAM>;
var<workgroup> survivor_count: atomic<u32>;
var<workgroup> worst_kept: array<vec4u, 2>; // running, finished

@compute @workgroup_size(TEAM) fn trie_topk_team(
  @builtin(local_invocation_index) me: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  let prompt = workgroup.y * workgroups.x + workgroup.x;
  if (prompt >= params.prompts) { return; }
  let running = prompt * params.width;
  let finished = (params.prompts + prompt) * params.width;
  if (me == 0) {
    clear_list(running);
    if (params.live == 0) { clear_list(finished); }
    worst_kept = array<vec4u, 2>(lists[running], lists[finished]);
    atomicStore(&survivor_count, 0);
  }
  for (var beam = 0u; beam < live_beams(); beam++) {
    if (me == 0) { current = live_beam(prompt, beam); }
    let it = workgroupUniformLoad(&current);
    for (var block = 0u; block < it.count; block += TEAM) {
      let j = block + me;
      if (j < it.count) {
        let total = bitcast<u32>(it.score + load0(prompt * live_beams() + beam, j / 4)[j % 4]);
        let child = it.first_edge + j + 1;
        let is_leaf = trie[child] == trie[child + 1];
        let inner = vec4u(total, beam * params.capacity + j, child, trie[params.nodes + 1 + it.first_edge + j]);
        let entry = select(inner, vec4u(total, child, child, NONE), is_leaf);
        if (worse(worst_kept[u32(is_leaf)], entry)) { survivors[atomicAdd(&survivor_count, 1)] = entry; }
      }
      workgroupBarrier();
      if (me == 0) {
        for (var i = 0u; i < atomicLoad(&survivor_count); i++) {
          offer(select(running, finished, survivors[i].w == NONE), survivors[i]);
        }
        worst_kept = array<vec4u, 2>(lists[running], lists[finished]);
        atomicStore(&survivor_count, 0);
      }
      workgroupBarrier();
    }
  }
  if (me == 0) { finish_step(prompt); }
}

// Ends the search: leaves and their scores (prompts, width), best first.
@compute @workgroup_size(8) fn trie_finished(@builtin(global_invocation_id) id: vec3u) {
  let prompt = id.x;
  if (prompt >= params.prompts) { return; }
  let first = prompt * params.width;
  let finished = params.prompts * params.width + first;
  sort_list(finished);
  for (var i = 0u; i < params.width; i++) {
    let entry = lists[finished + i];
    beams[params.nodes_out + first + i] = entry.z;
    beams[params.scores_out + first + i] = entry.x;
  }
}

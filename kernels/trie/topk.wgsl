// Follows heap.wgsl. One step of beam search on a trie. Candidates are the children of the prompt's live beams;
// the best `width` inner nodes run on, the best `width` leaves of all steps are kept as finished.
struct Params {
  prompts: u32, width: u32,
  nodes: u32,    // of the trie
  capacity: u32, // columns of log_probs
  first: u32,    // one beam a prompt, at the root
}
@group(0) @binding(20) var<uniform> params: Params;

// Node and score of the beams (prompts, width): read and replaced.
@group(0) @binding(10) var<storage, read_write> nodes: array<u32>;
@group(0) @binding(11) var<storage, read_write> scores: array<f32>;
// Two lists a prompt as binary heaps with the worst entry on top: (prompts, width) running, then as many finished.
@group(0) @binding(12) var<storage, read_write> lists: array<Entry>;
alias Entry = vec4u; // score, order among equal scores, node, token
// Laid out as in log_softmax.wgsl.
@group(0) @binding(13) var<storage, read> trie: array<u32>;
// What the beams (prompts, width) were extended with, and which beam each of them extends.
@group(0) @binding(14) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(15) var<storage, read_write> parents: array<u32>;

const NONE = 0xffffffffu;
const DEAD_SCORE = -1e30;

fn clear_list(base: u32) {
  for (var i = 0u; i < params.width; i++) {
    lists[base + i] = vec4u(bitcast<u32>(DEAD_SCORE), NONE, NONE, NONE);
  }
}

// The kept entries become the beams, best first.
fn finish_step(running: u32) {
  sort_list(running);
  for (var i = running; i < running + params.width; i++) {
    let entry = lists[i];
    scores[i] = bitcast<f32>(entry.x);
    nodes[i] = entry.z;
    tokens[i] = entry.w;
    parents[i] = select(entry.y / params.capacity, 0u, entry.z == NONE);
  }
}

// log_probs = in0: (prompts, capacity) in the first step, then (prompts * width, capacity).
// One invocation a prompt.
@compute @workgroup_size(8) fn trie_topk(@builtin(global_invocation_id) id: vec3u) {
  let prompt = id.x;
  if (prompt >= params.prompts) { return; }
  let running = prompt * params.width;
  let finished = (params.prompts + prompt) * params.width;
  clear_list(running);
  if (params.first != 0) { clear_list(finished); }
  let beams = select(params.width, 1u, params.first != 0);
  for (var beam = 0u; beam < beams; beam++) {
    var node = 0u;
    var score = 0.0;
    if (params.first == 0) {
      node = nodes[running + beam];
      score = scores[running + beam];
    }
    if (node >= params.nodes) { continue; }
    let first_edge = trie[node];
    let count = trie[node + 1] - first_edge;
    for (var j = 0u; j < count; j++) {
      let total = bitcast<u32>(score + load0(prompt * beams + beam, j / 4)[j % 4]);
      let child = first_edge + j + 1;
      if (trie[child] == trie[child + 1]) {
        offer(finished, vec4u(total, child, child, NONE));
      } else {
        let token = trie[params.nodes + 1 + first_edge + j];
        offer(running, vec4u(total, beam * params.capacity + j, child, token));
      }
    }
  }
  finish_step(running);
}

// The same with a workgroup a prompt, for GPUs: all read candidates, the first one keeps those that beat the worst kept,
// which soon are few. Entries are all different, so the order in which they arrive does not matter.
const TEAM = 64u;
struct Beam { first_edge: u32, count: u32, score: f32 }
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
    if (params.first != 0) { clear_list(finished); }
    worst_kept = array<vec4u, 2>(lists[running], lists[finished]);
    atomicStore(&survivor_count, 0);
  }
  let beams = select(params.width, 1u, params.first != 0);
  for (var beam = 0u; beam < beams; beam++) {
    if (me == 0) {
      let node = select(nodes[running + beam], 0u, params.first != 0);
      current = Beam(0, 0, 0);
      if (node < params.nodes) {
        let score = select(scores[running + beam], 0.0, params.first != 0);
        current = Beam(trie[node], trie[node + 1] - trie[node], score);
      }
    }
    let it = workgroupUniformLoad(&current);
    for (var block = 0u; block < it.count; block += TEAM) {
      let j = block + me;
      if (j < it.count) {
        let total = bitcast<u32>(it.score + load0(prompt * beams + beam, j / 4)[j % 4]);
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
  if (me == 0) { finish_step(running); }
}

// Ends the search: leaves into `nodes` and their scores into `scores`, best first.
@compute @workgroup_size(8) fn trie_finished(@builtin(global_invocation_id) id: vec3u) {
  let prompt = id.x;
  if (prompt >= params.prompts) { return; }
  let finished = (params.prompts + prompt) * params.width;
  sort_list(finished);
  for (var i = 0u; i < params.width; i++) {
    let entry = lists[finished + i];
    nodes[prompt * params.width + i] = entry.z;
    scores[prompt * params.width + i] = bitcast<f32>(entry.x);
  }
}

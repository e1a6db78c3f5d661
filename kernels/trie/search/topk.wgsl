// Follows heap.wgsl and topk_step.wgsl.
fn clear_list(base: u32) {
  for (var i = 0u; i < params.width; i++) { lists[base + i] = no_entry(); }
}

// The kept entries become the beams, best first.
fn finish_step(prompt: u32) {
  let running = prompt * params.width;
  sort_list(running);
  for (var i = 0u; i < params.width; i++) { write_beam(prompt, i, lists[running + i]); }
}

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
    for (var child = 0u; child < it.count; child++) {
      let entry = candidate(prompt, beam, it, child);
      offer(select(running, finished, entry.w == NONE), entry);
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
        let entry = candidate(prompt, beam, it, j);
        let is_leaf = entry.w == NONE;
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

// Follows order.wgsl, heap.wgsl, topk_step.wgsl and reduce/rows/subgroups.wgsl. A workgroup a prompt, in which nothing
// waits for a heap: the worst entry that is kept is found two bits of its score at a time, by counting candidates through
// subgroups, and what is not worse is put where the number of better ones says.

// Which entries are kept: those with a higher key, and those that have it up to this order.
struct Cut { key: u32, order: u32 }

const RUNNING = 0u;
const FINISHED = 1u;

var<workgroup> decided: u32;
var<workgroup> kept_count: atomic<u32>;

fn candidates(list: u32) -> u32 {
  return live_beams() * params.capacity + select(0u, params.width, list == FINISHED);
}

// Candidate `i` of a list: a child, or a leaf that was finished before. `no_entry()` where it is none.
fn entry_of(prompt: u32, list: u32, i: u32) -> Entry {
  let children = live_beams() * params.capacity;
  if (i >= children) { return lists[(params.prompts + prompt) * params.width + i - children]; }
  let beam = i / params.capacity;
  let child = i % params.capacity;
  let it = live_beam(prompt, beam);
  if (child >= it.count) { return no_entry(); }
  let entry = candidate(prompt, beam, it, child);
  if ((list == FINISHED) != (entry.w == NONE)) { return no_entry(); }
  return entry;
}

// The same for all that are no beam, or not a number; +0 and -0 have one key.
fn score_key(entry: Entry) -> u32 {
  let score = bitcast<f32>(entry.x);
  return select(0u, key_of(select(score, 0.0, score == 0)), worse(no_entry(), entry));
}

// The same number for all, in uniform control flow.
fn decide(number: u32, me: Member) -> u32 {
  if (me.index == 0) { decided = number; }
  return workgroupUniformLoad(&decided);
}

// How many of the candidates have 0, 1, 2 and 3 as bits `shift` and `shift` + 1, among those whose higher bits are those
// of `key`: of their keys, or of their orders where `by_order`, which then have the whole key of `cut`.
fn counts(prompt: u32, list: u32, cut: Cut, shift: u32, by_order: bool, me: Member) -> vec4u {
  let prefix = select(cut.key, cut.order, by_order);
  let higher = select(0xffffffffu << (shift + 2), 0u, shift == 30); // a shift by 32 is one by 0
  var mine = vec4f(0);
  for (var i = me.index; i < candidates(list); i += TEAM) {
    let entry = entry_of(prompt, list, i);
    let key = score_key(entry);
    let digits = select(key, entry.y, by_order);
    let counted = key != 0 && (digits & higher) == (prefix & higher) && (!by_order || key == cut.key);
    mine += select(vec4f(0), vec4f(1), vec4<bool>(counted) & (vec4u((digits >> shift) & 3) == vec4u(0, 1, 2, 3)));
  }
  return vec4u(team_sum(mine, me));
}

fn find_cut(prompt: u32, list: u32, me: Member) -> Cut {
  var cut = Cut(0, NONE);
  var wanted = params.width;
  var found = counts(prompt, list, cut, 30, false, me);
  if (decide(u32(found.x + found.y + found.z + found.w <= wanted), me) == 1) { return cut; }
  var digit = 0u;
  for (var bit = 32u; bit > 0; bit -= 2) {
    found = counts(prompt, list, cut, bit - 2, false, me);
    digit = 3;
    while (digit > 0 && found[digit] < wanted) {
      wanted -= found[digit];
      digit--;
    }
    cut.key |= digit << (bit - 2);
  }
  // All that have the key are kept, unless they are too many: then those of smaller order.
  if (decide(u32(found[digit] > wanted), me) == 0) { return cut; }
  cut.order = 0;
  for (var bit = 32u; bit > 0; bit -= 2) {
    found = counts(prompt, list, cut, bit - 2, true, me);
    digit = 0;
    while (digit < 3 && found[digit] < wanted) {
      wanted -= found[digit];
      digit++;
    }
    cut.order |= digit << (bit - 2);
  }
  return cut;
}

// Puts what is kept at the start of the running list, in any order -> how much that is.
fn keep_best(prompt: u32, list: u32, me: Member) -> u32 {
  let cut = find_cut(prompt, list, me);
  if (me.index == 0) { atomicStore(&kept_count, 0); }
  workgroupBarrier();
  for (var i = me.index; i < candidates(list); i += TEAM) {
    let entry = entry_of(prompt, list, i);
    let key = score_key(entry);
    if (key != 0 && (key > cut.key || (key == cut.key && entry.y <= cut.order))) {
      lists[prompt * params.width + atomicAdd(&kept_count, 1)] = entry;
    }
  }
  storageBarrier();
  workgroupBarrier();
  return decide(atomicLoad(&kept_count), me);
}

// How many of the first `count` of the running list are better than the entry.
fn place_of(entry: Entry, prompt: u32, count: u32) -> u32 {
  var place = 0u;
  for (var i = 0u; i < count; i++) { place += u32(worse(entry, lists[prompt * params.width + i])); }
  return place;
}

@compute @workgroup_size(TEAM) fn trie_topk_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let prompt = team_row(workgroup, count);
  if (prompt >= params.prompts) { return; }
  let running = prompt * params.width;
  let finished = (params.prompts + prompt) * params.width;
  if (params.live == 0) {
    for (var i = me.index; i < params.width; i += TEAM) { lists[finished + i] = no_entry(); }
    storageBarrier();
  }
  let leaves = keep_best(prompt, FINISHED, me);
  // The worst on top, which is a heap.
  for (var i = me.index; i < params.width; i += TEAM) {
    if (i < leaves) {
      let entry = lists[running + i];
      lists[finished + params.width - 1 - place_of(entry, prompt, leaves)] = entry;
    } else {
      lists[finished + params.width - 1 - i] = no_entry();
    }
  }
  storageBarrier();
  let inner = keep_best(prompt, RUNNING, me);
  for (var i = me.index; i < params.width; i += TEAM) {
    if (i < inner) {
      let entry = lists[running + i];
      write_beam(prompt, place_of(entry, prompt, inner), entry);
    } else {
      write_beam(prompt, i, no_entry());
    }
  }
}

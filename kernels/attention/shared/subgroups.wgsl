// Invocations in subgroups of any size, which may hold whichever invocations they like, as many as their size says.
struct Member {
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
}

var<workgroup> placed: atomic<u32>;
var<workgroup> team_size: u32;

// Subgroups take their places as they come, so that neighbours of a row are neighbours in a subgroup.
fn place_of(me: Member) -> Place {
  var first = 0u;
  if (me.lane == 0) { first = atomicAdd(&placed, me.lanes); }
  let i = subgroupBroadcastFirst(first) + me.lane;
  return Place(i % BLOCK, i / BLOCK, me.lane - i % BLOCK);
}

// Contains barriers.
fn team_of(me: Member) -> u32 {
  if (me.index == 0) { team_size = min(me.lanes, BLOCK); }
  return workgroupUniformLoad(&team_size);
}

fn shuffle(mine: f32, lane: u32) -> f32 { return subgroupShuffle(mine, lane); }
fn shuffle_xor(mine: f32, mask: u32) -> f32 { return subgroupShuffleXor(mine, mask); }

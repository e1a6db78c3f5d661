// What the 16 invocations that hold a row of pairs tell each other: by shuffles as far as subgroups reach, further through
// workgroup memory. `team` of them, 1 to 16 and the same for all, are in one subgroup.
struct Place {
  x: u32,    // in the row
  y: u32,    // the row
  lane: u32, // of the row's first invocation, where all of a row are in one subgroup
}

// Maximum and sum over a row, in uniform control flow. Contains barriers where team < 16; one must lie between two calls.
fn row_max(mine: f32, at: Place, team: u32) -> f32 {
  var top = mine;
  for (var step = team / 2; step > 0; step /= 2) { top = max(top, shuffle_xor(top, step)); }
  if (team == BLOCK) { return top; }
  pairs[at.y * STRIDE + at.x] = top;
  workgroupBarrier();
  for (var i = 0u; i < BLOCK; i += team) { top = max(top, pairs[at.y * STRIDE + i]); }
  return top;
}
fn row_sum(mine: f32, at: Place, team: u32) -> f32 {
  var part = mine;
  for (var step = team / 2; step > 0; step /= 2) { part += shuffle_xor(part, step); }
  if (team == BLOCK) { return part; }
  pairs[at.y * STRIDE + at.x] = part;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < BLOCK; i += team) { sum += pairs[at.y * STRIDE + i]; }
  return sum;
}

// Puts a number where `row_of()` finds it, after row_barrier() or any other.
fn put(mine: f32, at: Place, team: u32) {
  if (team < BLOCK) { weights[at.y * STRIDE + at.x] = mine; }
}
fn row_barrier(team: u32) {
  if (team < BLOCK) { workgroupBarrier(); }
}

// What all of a row have put, of which this invocation put `mine`. In uniform control flow.
fn row_of(mine: f32, at: Place, team: u32) -> mat4x4f {
  return mat4x4f(
    four_of(mine, at, team, 0), four_of(mine, at, team, 4), four_of(mine, at, team, 8), four_of(mine, at, team, 12));
}
fn four_of(mine: f32, at: Place, team: u32, j: u32) -> vec4f {
  if (team < BLOCK) {
    let i = at.y * STRIDE + j;
    return vec4f(weights[i], weights[i + 1], weights[i + 2], weights[i + 3]);
  }
  let lane = at.lane + j;
  return vec4f(shuffle(mine, lane), shuffle(mine, lane + 1), shuffle(mine, lane + 2), shuffle(mine, lane + 3));
}

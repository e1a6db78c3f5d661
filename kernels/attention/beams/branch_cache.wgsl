// Keys and values of beams that share a prompt. Row (u * width + b) * depth + t of the cache is token t of beam b of
// prompt u. A step copies the rows of each beam's parent, of `from` beams a prompt, and appends the new token's. One
// invocation a (beam, group).
struct Params {
  beams: u32, width: u32, from_width: u32, depth: u32, step: u32, groups: u32,
  kv: u32, // first group of k | v in the new rows
}
@group(0) @binding(20) var<uniform> params: Params;

// Beam of its prompt (0 .. from_width - 1) that each row continues.
@group(0) @binding(10) var<storage, read> parents: array<u32>;

// old cache = in0, new rows (U * width, q | k | v) = in1 -> new cache = out0
@compute @workgroup_size(16, 8) fn branch_append(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let beam = id.y;
  if (group >= params.groups || beam >= params.beams) { return; }
  let parent = beam / params.width * params.from_width + min(parents[beam], params.from_width - 1);
  let first = beam * params.depth;
  for (var token = 0u; token < params.step; token++) {
    store0(first + token, group, load0(parent * params.depth + token, group));
  }
  store0(first + params.step, group, load1(beam, params.kv + group));
}

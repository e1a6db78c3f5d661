// Follows running.wgsl and paths.wgsl.
struct PathParams { beams: u32, width: u32, from_width: u32, depth: u32, step: u32, rows: u32 }
@group(0) @binding(20) var<uniform> path: PathParams;

// Beam of its prompt (0 .. from_width - 1) that each beam continues; not read in step 0.
@group(0) @binding(12) var<storage, read> parents: array<u32>;
@group(0) @binding(13) var<storage, read_write> longer: array<u32>;
@group(0) @binding(14) var<storage, read_write> positions: array<u32>;

// paths of the beams before -> paths that are one token longer, whose row is `rows` + beam, and that token's position
@compute @workgroup_size(64) fn extend_paths(
  @builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u
) {
  let beam = linear_index(id, workgroups, 64);
  if (beam >= path.beams) { return; }
  let prompt = beam / path.width;
  if (path.step > 0) {
    let parent = prompt * path.from_width + min(parents[beam], path.from_width - 1);
    for (var i = 0u; i < path.step; i++) { longer[beam * path.depth + i] = paths[parent * path.depth + i]; }
  }
  longer[beam * path.depth + path.step] = path.rows + beam;
  positions[beam] = spans[prompt].y - spans[prompt].x + path.step;
}

// q (beams, q | k | v) = in0, q | k | v of the prompts = in1, of the beams' tokens (the cache) = in2
// -> o (beams, heads * headDim) = out0. One invocation a (beam, head), online softmax.
@compute @workgroup_size(8) fn attention_paths(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  let head = id.y;
  if (row >= params.queries) { return; }
  let span = spans[row / params.width];
  let kv = (head / params.heads_per_kv) * GROUPS;
  let q = head_scale(head0(row, head * GROUPS), params.scale);
  var r = unseen();
  for (var j = span.x; j < span.y; j++) {
    r = see(r, head_dot(q, head1(j, params.k + kv)), head1(j, params.v + kv));
  }
  for (var i = 0u; i <= params.step; i++) {
    let j = paths[row * params.depth + i];
    r = see(r, head_dot(q, head2(j, params.k + kv)), head2(j, params.v + kv));
  }
  store_head0(row, head * GROUPS, head_scale(r.o, 1 / r.total));
}

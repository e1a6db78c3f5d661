// Follows reduce/rows/subgroups.wgsl. Statistics of a row's logits as in cross_entropy.wgsl, with a workgroup a row: x largest
// logit, y sum of exp(logit - largest), z logit of the target, w sum of logits.
struct ChunkParams { rows: u32, cols: u32, start: u32, first: u32 }
@group(0) @binding(20) var<uniform> chunk: ChunkParams;

@group(0) @binding(10) var<storage, read> targets: array<u32>;
@group(0) @binding(11) var<storage, read_write> stats: array<vec4f>;

// logits (R, Vc) = in0, targets (R), stats (R) -> stats (R). One pass over the row.
@compute @workgroup_size(TEAM) fn cross_entropy_chunk_subgroups(
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) lanes: u32,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = workgroup.y * count.x + workgroup.x;
  if (row >= chunk.rows) { return; }
  var mine = no_exponentials();
  var sums = vec4f(0);
  for (var g = index; g < (chunk.cols + 3) / 4; g += TEAM) {
    let z = load0(row, g); // padding lanes hold 0
    mine = with_four(mine, z, columns_of(g) < vec4u(chunk.cols));
    sums += z;
  }
  let me = Member(index, lane, lanes);
  let top = team_max(max4(mine.top), me);
  let totals = team_sum(vec4f(sum4(mine.exps * exp(mine.top - top)), sum4(sums), 0, 0), me);
  if (index > 0) { return; }
  var old = vec4f(LOWEST, 0, 0, 0);
  if (chunk.first == 0) { old = stats[row]; }
  let highest = max(old.x, top);
  var at_target = old.z;
  let column = targets[row] - chunk.start; // wraps to a large number left of the chunk
  if (column < chunk.cols) { at_target = load0(row, column / 4)[column % 4]; }
  stats[row] = vec4f(
    highest,
    old.y * exp(old.x - highest) + totals.x * exp(top - highest),
    at_target,
    old.w + totals.y,
  );
}

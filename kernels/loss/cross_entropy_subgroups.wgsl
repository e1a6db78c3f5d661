// Follows reduce/rows/subgroups.wgsl and cross_entropy_chunk.wgsl. The chunk of cross_entropy.wgsl with a workgroup a row.

// logits (R, Vc) = in0, targets (R), stats (R) -> stats (R). One pass over the row.
@compute @workgroup_size(TEAM) fn cross_entropy_chunk_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let row = team_row(workgroup, count);
  if (row >= chunk.rows) { return; }
  var mine = no_exponentials();
  var sums = vec4f(0);
  for (var g = me.index; g < (chunk.cols + 3) / 4; g += TEAM) {
    let z = load0(row, g); // padding lanes hold 0
    mine = with_four(mine, z, columns_of(g) < vec4u(chunk.cols));
    sums += z;
  }
  let top = team_max(max4(mine.top), me);
  let totals = team_sum(vec4f(sum4(mine.exps * exp(mine.top - top)), sum4(sums), 0, 0), me);
  if (me.index > 0) { return; }
  fold_chunk(row, top, totals.x, totals.y);
}

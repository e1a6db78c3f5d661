// What all kernels that go through a chunk of logits share. Statistics of a row, kept from chunk to chunk: x largest logit,
// y sum of exp(logit - largest), z logit of the target, w sum of logits. LOWEST is that of the file that follows, or of
// reduce/rows/subgroups.wgsl.
struct ChunkParams { rows: u32, cols: u32, start: u32, first: u32 }
@group(0) @binding(20) var<uniform> chunk: ChunkParams;

@group(0) @binding(10) var<storage, read> targets: array<u32>;
@group(0) @binding(11) var<storage, read_write> stats: array<vec4f>;

// Adds a chunk's largest logit, sum of exp(logit - largest) and sum of logits to the statistics of its row.
fn fold_chunk(row: u32, top: f32, exps: f32, sum: f32) {
  var old = vec4f(LOWEST, 0, 0, 0);
  if (chunk.first == 0) { old = stats[row]; }
  let highest = max(old.x, top);
  var at_target = old.z;
  let column = targets[row] - chunk.start; // wraps to a large number left of the chunk
  if (column < chunk.cols) { at_target = load0(row, column / 4)[column % 4]; }
  stats[row] = vec4f(
    highest,
    old.y * exp(old.x - highest) + exps * exp(top - highest),
    at_target,
    old.w + sum,
  );
}

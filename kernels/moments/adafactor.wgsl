// Adafactor (Shazeer and Stern 2018) on rows of a tensor, which are `stride` groups of four apart. Second moments are kept
// as means of rows and of columns; those of a tensor of one row are its own.
struct Params {
  rows: u32,
  cols: u32,
  stride: u32, // groups of four from a row to the next
  base: u32, // group of the first row and column
  first: u32, // number of the first row, or of the first chunk of rows, in the tensor
  total: u32, // rows of the tensor
  eps: f32,
  threshold: f32,
  weight_decay: f32,
}
@group(0) @binding(20) var<uniform> params: Params;
// Learning rate, decay of the moments, 1 minus it.
@group(0) @binding(10) var<storage, read> hyper: array<vec4f>;
// Norm, clip scale, 1 where the norm is not finite.
@group(0) @binding(11) var<storage, read> clip: array<vec4f>;
@group(0) @binding(12) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(13) var<storage, read_write> rows: array<f32>;
@group(0) @binding(14) var<storage, read_write> columns: array<vec4f>;
@group(0) @binding(15) var<storage, read_write> partials: array<vec4f>;
@group(0) @binding(16) var<storage, read_write> sums: array<f32>;
@group(0) @binding(17) var<storage, read_write> values: array<vec4f>;

const WORKGROUP = 64u;
const CHUNK = 128u; // rows that one invocation adds up
const SQUARES = 4u; // place of the first sum of a row

fn skipped() -> bool { return clip[0].z != 0; }

fn inside(group: u32) -> vec4<bool> { return group * 4 + vec4u(0, 1, 2, 3) < vec4u(params.cols); }

fn place(row: u32, group: u32) -> u32 { return params.base + row * params.stride + group; }

// Squared gradients; 0 past the last column.
fn squares(row: u32, group: u32) -> vec4f {
  let g = gradients[place(row, group)] * clip[0].y;
  return select(vec4f(0), g * g, inside(group));
}

fn total(v: vec4f) -> f32 { return v.x + v.y + v.z + v.w; }

// The mean square of each row joins its moment.
@compute @workgroup_size(WORKGROUP) fn adafactor_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows || skipped()) { return; }
  var sum = vec4f(0);
  for (var group = 0u; group * 4 < params.cols; group++) { sum += squares(row, group); }
  let mean = total(sum) / f32(params.cols) + params.eps;
  let at = params.first + row;
  rows[at] = hyper[0].y * rows[at] + hyper[0].z * mean;
}

// Sums of squares over the rows of each chunk.
@compute @workgroup_size(WORKGROUP) fn adafactor_chunks(@builtin(global_invocation_id) id: vec3u) {
  let groups = (params.cols + 3) / 4;
  if (id.x >= groups) { return; }
  var sum = vec4f(0);
  let end = min(params.rows, (id.y + 1) * CHUNK);
  for (var row = id.y * CHUNK; row < end; row++) { sum += squares(row, id.x); }
  partials[(params.first + id.y) * groups + id.x] = sum;
}

// The mean square of each column, of as many chunks as params.rows says, joins its moment.
@compute @workgroup_size(WORKGROUP) fn adafactor_columns(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let group = linear_index(id, count, WORKGROUP);
  let groups = (params.cols + 3) / 4;
  if (group >= groups || skipped()) { return; }
  var sum = vec4f(0);
  for (var chunk = 0u; chunk < params.rows; chunk++) { sum += partials[chunk * groups + group]; }
  let mean = sum / f32(params.total) + params.eps;
  columns[group] = hyper[0].y * columns[group] + hyper[0].z * mean;
}

var<workgroup> lanes: array<f32, WORKGROUP>;

fn add_lanes(lane: u32, sum: f32) -> f32 {
  lanes[lane] = sum;
  for (var half = WORKGROUP / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  return lanes[0]; // right in lane 0
}

// The mean of the moments of all rows -> sums[0].
@compute @workgroup_size(WORKGROUP) fn adafactor_mean(@builtin(local_invocation_index) lane: u32) {
  var own = 0f;
  for (var at = lane; at < params.total; at += WORKGROUP) { own += rows[at]; }
  let sum = add_lanes(lane, own);
  if (lane == 0) { sums[0] = sum / f32(params.total); }
}

// What the square of a gradient is divided by.
fn moment(row: u32, group: u32) -> vec4f { return rows[params.first + row] / sums[0] * columns[group]; }

// The squares of the update, added up by rows -> sums[SQUARES + row].
@compute @workgroup_size(WORKGROUP) fn adafactor_squares(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let row = linear_index(id, count, WORKGROUP);
  if (row >= params.rows) { return; }
  var sum = 0f;
  for (var group = 0u; group * 4 < params.cols; group++) {
    sum += total(select(vec4f(0), squares(row, group) / moment(row, group), inside(group)));
  }
  sums[SQUARES + params.first + row] = sum;
}

// The learning rate, smaller where the root mean square of the update is above the threshold -> sums[1].
@compute @workgroup_size(WORKGROUP) fn adafactor_rate(@builtin(local_invocation_index) lane: u32) {
  var own = 0f;
  for (var at = lane; at < params.total; at += WORKGROUP) { own += sums[SQUARES + at]; }
  let sum = add_lanes(lane, own);
  if (lane == 0) {
    let rms = sqrt(sum / f32(params.total) / f32(params.cols));
    sums[1] = hyper[0].x / max(1, rms / params.threshold);
  }
}

@compute @workgroup_size(16, 4) fn adafactor(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  let row = id.y;
  if (group * 4 >= params.cols || row >= params.rows || skipped()) { return; }
  let at = place(row, group);
  let g = gradients[at] * clip[0].y;
  let old = values[at];
  let change = sums[1] * g * inverseSqrt(moment(row, group));
  values[at] = select(old, old - hyper[0].x * params.weight_decay * old - change, inside(group));
}

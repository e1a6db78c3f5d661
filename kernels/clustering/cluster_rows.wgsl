// Rows by label, in their order: every codeword scans all labels, twice, so that neither atomics nor a round trip to the
// host are needed. Lanes of a workgroup read the same label at a time.
struct Params { rows: u32, codewords: u32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> labels: array<u32>;
@group(0) @binding(11) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(12) var<storage, read_write> members: array<u32>;

const WORKGROUP = 8u;

// labels (N) -> offsets (K + 1), members (N)
@compute @workgroup_size(WORKGROUP) fn cluster_rows(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
) {
  let codeword = linear_index(id, count, WORKGROUP);
  if (codeword >= params.codewords) { return; }
  var before = 0u;
  var own = 0u;
  for (var row = 0u; row < params.rows; row++) {
    let label = labels[row];
    before += u32(label < codeword);
    own += u32(label == codeword);
  }
  offsets[codeword] = before;
  if (codeword + 1 == params.codewords) { offsets[params.codewords] = before + own; }
  for (var row = 0u; row < params.rows; row++) {
    if (labels[row] == codeword) { members[before] = row; before++; }
  }
}

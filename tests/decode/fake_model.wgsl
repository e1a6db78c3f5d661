struct Params { rows: u32, groups: u32, width: u32, width_before: u32, first: u32, decay: f32 }
@group(0) @binding(20) var<uniform> params: Params;
@group(0) @binding(10) var<storage, read> tokens: array<u32>;
@group(0) @binding(11) var<storage, read> parents: array<u32>;

// table (V, C) = in0, hidden states before (prompts or rows, C) = in1 -> table[token] + decay * parent's state = out0
@compute @workgroup_size(16, 8) fn fake_step(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  let prompt = id.y / params.width;
  var before = prompt;
  if (params.first == 0) { before = prompt * params.width_before + parents[id.y]; }
  store0(id.y, id.x, load0(tokens[id.y], id.x) + params.decay * load1(before, id.x));
}

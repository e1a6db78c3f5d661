// Follows paths.wgsl and reduce/rows/subgroups.wgsl. A workgroup serves a (beam, head), TEAM keys at a time: an invocation has
// one of them while scores are computed, and one group of columns of some of them while values are summed.
override GROUPS: u32 = 8; // head dimension / 4, at most TEAM

var<workgroup> query: array<vec4f, TEAM>;
// Rows of the keys, in the prompts or in the cache, and what each is worth.
var<workgroup> places: array<u32, TEAM>;
var<workgroup> weights: array<f32, TEAM>;

// q (beams, q | k | v) = in0, q | k | v of the prompts = in1, of the beams' tokens (the cache) = in2
// -> o (beams, heads * headDim) = out0
@compute @workgroup_size(TEAM) fn attention_paths_subgroups(
  me: Member, @builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) count: vec3u
) {
  let served = team_row(workgroup, count);
  if (served >= params.queries * params.heads) { return; }
  let row = served / params.heads;
  let head = served % params.heads;
  let kv = (head / params.heads_per_kv) * GROUPS;
  if (me.index < GROUPS) { query[me.index] = params.scale * load0(row, head * GROUPS + me.index); }
  workgroupBarrier();

  let span = spans[row / params.width];
  let prompt = span.y - span.x;
  let keys = prompt + params.step + 1;
  let group = params.v + kv + me.index % GROUPS;
  let slice = me.index / GROUPS;
  let slices = TEAM / GROUPS;
  var o = vec4f(0);
  var top = LOWEST;
  var mine = 0.0; // of the total
  for (var start = 0u; start < keys; start += TEAM) {
    let key = start + me.index;
    var score = LOWEST;
    if (key < prompt) {
      let place = span.x + key;
      places[me.index] = place;
      score = 0;
      for (var g = 0u; g < GROUPS; g++) { score += dot(query[g], load1(place, params.k + kv + g)); }
    } else if (key < keys) {
      let place = paths[row * params.depth + key - prompt];
      places[me.index] = place;
      score = 0;
      for (var g = 0u; g < GROUPS; g++) { score += dot(query[g], load2(place, params.k + kv + g)); }
    }
    let next = max(top, team_max(score, me));
    let p = select(0.0, exp(score - next), key < keys);
    weights[me.index] = p;
    workgroupBarrier();
    let keep = exp(top - next);
    top = next;
    mine = mine * keep + p;
    o *= keep;
    if (slice < slices) {
      for (var i = slice; i < min(TEAM, keys - start); i += slices) {
        if (start + i < prompt) { o += weights[i] * load1(places[i], group); }
        else { o += weights[i] * load2(places[i], group); }
      }
    }
    workgroupBarrier(); // places are written anew
  }
  let total = team_sum(vec4f(mine), me).x;
  workgroupBarrier(); // parts may still be read
  parts[me.index] = o;
  workgroupBarrier();
  if (me.index >= GROUPS) { return; }
  var sum = vec4f(0);
  for (var i = me.index; i < slices * GROUPS; i += GROUPS) { sum += parts[i]; }
  store0(row, head * GROUPS + me.index, sum / total);
}

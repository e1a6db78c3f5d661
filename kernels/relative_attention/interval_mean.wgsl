// Means of the rows that a query sees.
const NO_ROW = 0xffffffffu;
struct Params { rows: u32, groups: u32 }
@group(0) @binding(20) var<uniform> params: Params;

@group(0) @binding(10) var<storage, read> queries: array<u32>;
@group(0) @binding(11) var<storage, read> intervals: array<vec4u>; // start, end, unused

// x (T, C) = in0, queries (R), intervals (4 Q) -> y (R, C) = out0
@compute @workgroup_size(16, 8) fn interval_mean(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  var sum = vec4f(0);
  let query = queries[id.y];
  if (query != NO_ROW) {
    let span = intervals[query];
    for (var row = span.x; row < span.y; row++) { sum += load0(row, id.x); }
    sum /= f32(max(span.y - span.x, 1));
  }
  store0(id.y, id.x, sum);
}

@group(0) @binding(10) var<storage, read> places: array<u32>;
@group(0) @binding(12) var<storage, read> viewers: array<vec2u>; // first, end

// dy (R, C) = in0, places (Q), intervals (4 Q), viewers (2 T) -> dx (T, C) = out0
@compute @workgroup_size(16, 8) fn interval_mean_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.groups || id.y >= params.rows) { return; }
  var sum = vec4f(0);
  let span = viewers[id.y];
  for (var query = span.x; query < span.y; query++) {
    let place = places[query];
    if (place == NO_ROW) { continue; }
    let seen = intervals[query];
    sum += load0(place, id.x) / f32(seen.y - seen.x);
  }
  store0(id.y, id.x, sum);
}

// Rows of `span` whose distance from `origin` lies in `range`.
fn shifted(span: vec2u, origin: u32, range: vec2i) -> vec2u {
  let start = max(i32(span.x), i32(origin) + range.x);
  let end = min(i32(span.y), i32(origin) + range.y);
  return vec2u(u32(start), u32(max(start, end)));
}

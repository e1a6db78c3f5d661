// Half-open intervals (start, end) of rows.
fn inside(j: u32, span: vec2u) -> bool { return j >= span.x && j < span.y; }

// Smallest interval around two, of which either may be empty.
fn either(a: vec2u, b: vec2u) -> vec2u {
  if (a.x >= a.y) { return b; }
  if (b.x >= b.y) { return a; }
  return vec2u(min(a.x, b.x), max(a.y, b.y));
}

// Binary heaps of `params.width` entries in `lists: array<Entry>`, the worst on top. An `Entry` is a vector that begins
// with the bits of a score and the order among equal scores.
fn worse(a: Entry, b: Entry) -> bool {
  let x = bitcast<f32>(a.x);
  let y = bitcast<f32>(b.x);
  return x < y || (x == y && a.y > b.y);
}

// Fills the heap's hole at its top with `entry`.
fn settle(base: u32, size: u32, entry: Entry) {
  var hole = 0u;
  loop {
    var child = 2 * hole + 1;
    if (child >= size) { break; }
    if (child + 1 < size && worse(lists[base + child + 1], lists[base + child])) { child++; }
    if (!worse(lists[base + child], entry)) { break; }
    lists[base + hole] = lists[base + child];
    hole = child;
  }
  lists[base + hole] = entry;
}

fn offer(base: u32, entry: Entry) {
  if (worse(lists[base], entry)) { settle(base, params.width, entry); }
}

// Heap sort: best entry first.
fn sort_list(base: u32) {
  for (var size = params.width - 1; size > 0; size--) {
    let worst = lists[base];
    settle(base, size, lists[base + size]);
    lists[base + size] = worst;
  }
}

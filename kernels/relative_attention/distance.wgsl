// Row of the biases by distance: key less query, those farther than `farthest` with it.
fn distance_row(key: u32, place: u32, farthest: u32) -> u32 {
  let most = i32(farthest);
  return u32(clamp(i32(key) - i32(place), -most, most) + most);
}

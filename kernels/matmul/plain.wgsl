// A product that is stored as it is: nothing is added, and there are no padding lanes.
fn finish4(row: u32, group: u32, block: mat4x4f) {
  store0(row, group, block[0]);
  store0(row + 1, group, block[1]);
  store0(row + 2, group, block[2]);
  store0(row + 3, group, block[3]);
}

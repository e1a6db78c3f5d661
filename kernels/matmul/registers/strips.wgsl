// The order in which tiles of 16 x 16 numbers are computed.
const STRIP_COLS = 8u;
const STRIP_ROWS = 16u;
const CACHED = 65536u; // numbers

// (column, row) of a tile among the tiles of the result. Where B is larger than a core's cache, strips of eight columns are
// filled row by row, so that what a strip reads of B stays there for sixteen rows of tiles.
fn tile_at(tile: u32) -> vec2u {
  let tiles = (params.cols + 15) / 16;
  let most = select(STRIP_ROWS, 1u, params.inner * params.cols <= CACHED);
  let band = tile / (most * tiles);
  let within = tile - band * most * tiles;
  let rows = min(most, (params.rows + 15) / 16 - band * most);
  let strip = within / (rows * STRIP_COLS);
  let cols = min(STRIP_COLS, tiles - strip * STRIP_COLS);
  let place = within - strip * rows * STRIP_COLS;
  return vec2u(strip * STRIP_COLS + place % cols, band * most + place / cols);
}

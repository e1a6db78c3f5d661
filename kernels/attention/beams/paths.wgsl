// Beams that share a prompt: their newest tokens see the prompt, and their own tokens by paths, so that no key or value is
// copied where beams part. Row (step, prompt, beam) of the cache is q | k | v of a token.
struct Params {
  queries: u32, width: u32, depth: u32, step: u32,
  heads: u32, heads_per_kv: u32,
  k: u32, v: u32, // first groups of keys and values
  scale: f32,
}
@group(0) @binding(20) var<uniform> params: Params;

// Rows (start, end) of each prompt.
@group(0) @binding(10) var<storage, read> spans: array<vec2u>;
// (beams, depth): rows of the cache, oldest first.
@group(0) @binding(11) var<storage, read> paths: array<u32>;

// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

// High and low words of a * b, from 16-bit halves: WGSL has no 64-bit product.
fn wide_product(a: u32, b: u32) -> vec2u {
  let a_low = a & 0xffffu;
  let a_high = a >> 16;
  let b_low = b & 0xffffu;
  let b_high = b >> 16;
  let low = a_low * b_low;
  let middle = a_high * b_low + (low >> 16);
  let carry = a_low * b_high + (middle & 0xffffu);
  return vec2u(a_high * b_high + (middle >> 16) + (carry >> 16), (carry << 16) | (low & 0xffffu));
}

fn philox_round(c: vec4u, key: vec2u) -> vec4u {
  let x = wide_product(0xD2511F53u, c.x);
  let z = wide_product(0xCD9E8D57u, c.z);
  return vec4u(z.x ^ c.y ^ key.x, z.y, x.x ^ c.w ^ key.y, x.y);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  const WEYL = vec2u(0x9E3779B9u, 0xBB67AE85u);
  var c = counter;
  var k = key;
  for (var round = 0; round < 10; round++) {
    c = philox_round(c, k);
    k += WEYL;
  }
  return c;
}

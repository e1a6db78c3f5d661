// Follows head.wgsl. Online softmax of one query: what it makes of the keys that it has seen.
struct Running { o: Head, top: f32, total: f32 }

fn unseen() -> Running {
  var r: Running;
  r.top = -1e30;
  return r;
}

// One exponential does for what is kept and for what is added: one of the two is 1.
fn see(r: Running, score: f32, v: Head) -> Running {
  let rise = score - r.top;
  let e = exp(-abs(rise));
  let keep = select(1.0, e, rise > 0);
  let p = select(e, 1.0, rise > 0);
  return Running(head_mix(r.o, keep, v, p), max(r.top, score), r.total * keep + p);
}

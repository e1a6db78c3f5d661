// Follows head.wgsl. Online softmax of one query: what it makes of the keys that it has seen.
struct Running { o: Head, top: f32, total: f32 }

fn unseen() -> Running {
  var r: Running;
  r.top = -1e30;
  return r;
}

fn see(r: Running, score: f32, v: Head) -> Running {
  let top = max(r.top, score);
  let keep = exp(r.top - top);
  let p = exp(score - top);
  return Running(head_mix(r.o, keep, v, p), top, r.total * keep + p);
}

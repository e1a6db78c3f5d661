// Invocations without subgroups: each is one of its own.
struct Member { @builtin(local_invocation_index) index: u32 }

fn place_of(me: Member) -> Place { return Place(me.index % BLOCK, me.index / BLOCK, 0); }
fn team_of(me: Member) -> u32 { return 1; }

fn shuffle(mine: f32, lane: u32) -> f32 { return mine; }
fn shuffle_xor(mine: f32, mask: u32) -> f32 { return mine; }

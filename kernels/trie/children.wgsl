// Children of the nodes of rows in `trie`, laid out as in log_softmax.wgsl; `nodes_of_rows` holds their numbers.

// Places [first, end) in `trie` where the tokens of a node's children are, ascending.
struct Children { first: u32, end: u32 }

fn children_of(row: u32, nodes: u32) -> Children {
  let node = nodes_of_rows[row];
  if (node >= nodes) { return Children(0, 0); }
  return Children(nodes + 1 + trie[node], nodes + 1 + trie[node + 1]);
}

// First place among the children whose token is `token` or greater.
fn lower_bound(children: Children, token: u32) -> u32 {
  var low = children.first;
  var high = children.end;
  while (low < high) {
    let middle = (low + high) / 2;
    if (trie[middle] < token) { low = middle + 1; } else { high = middle; }
  }
  return low;
}

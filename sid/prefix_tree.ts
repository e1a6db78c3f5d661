/** What follows a beginning of SIDs. */
export interface PrefixChild {
  /** The next token. */
  token: string;
  /** Items whose SIDs go on with it. */
  items: number;
  /** Different tokens after it; 0 where SIDs end. */
  children: number;
}

/** A beginning of SIDs as a drawing of the tree has it: items lie side by side, those that begin alike together. */
export interface TreeBand {
  prefix: string[];
  /** Items before its first one. */
  start: number;
  /** Items that begin so. */
  items: number;
}

/** Items by the beginnings of their SIDs. */
export class PrefixTree {
  readonly #sids: readonly (readonly string[])[];
  readonly #items = new Map<string, number[]>();

  /** `sids[i]` are the tokens of item `i`. */
  constructor(sids: readonly (readonly string[])[]) {
    this.#sids = sids;
    sids.forEach((sid, item) => {
      for (let length = 1; length <= sid.length; length++) {
        const key = sid.slice(0, length).join("");
        const items = this.#items.get(key);
        if (items === undefined) this.#items.set(key, [item]);
        else items.push(item);
      }
    });
  }

  /** Items whose SIDs begin so, ascending; none where no SID does. */
  itemsWith(prefix: readonly string[]): readonly number[] {
    return prefix.length === 0 ? [...this.#sids.keys()] : this.#items.get(prefix.join("")) ?? [];
  }

  /** What follows a prefix, most items first. */
  children(prefix: readonly string[]): PrefixChild[] {
    const tokens = this.#tokensAfter(prefix);
    return [...tokens].map(([token, items]) => ({
      token,
      items,
      children: this.#tokensAfter([...prefix, token]).size,
    })).sort((a, b) => b.items - a.items || (a.token < b.token ? -1 : 1));
  }

  /** Different beginnings one token longer than a prefix, two tokens longer and so on. */
  widths(prefix: readonly string[]): number[] {
    const found: Set<string>[] = [];
    for (const item of this.itemsWith(prefix)) {
      const sid = this.#sids[item];
      for (let length = prefix.length + 1; length <= sid.length; length++) {
        (found[length - prefix.length - 1] ??= new Set()).add(sid.slice(0, length).join(""));
      }
    }
    return found.map(({ size }) => size);
  }

  /** Beginnings of one token, of two and so on that at least `least` items have, those of most items first. */
  bands(least: number): TreeBand[][] {
    const levels: TreeBand[][] = [];
    const add = (prefix: readonly string[], start: number): void => {
      let place = start;
      for (const { token, items } of this.children(prefix)) {
        if (items < least) break;
        const longer = [...prefix, token];
        (levels[prefix.length] ??= []).push({ prefix: longer, start: place, items });
        add(longer, place);
        place += items;
      }
    };
    add([], 0);
    return levels;
  }

  #tokensAfter(prefix: readonly string[]): Map<string, number> {
    const tokens = new Map<string, number>();
    for (const item of this.itemsWith(prefix)) {
      const token = this.#sids[item][prefix.length];
      if (token !== undefined) tokens.set(token, (tokens.get(token) ?? 0) + 1);
    }
    return tokens;
  }
}

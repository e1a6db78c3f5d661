import type { Findings } from "./findings.ts";

const FIRST_LETTER = "a".charCodeAt(0);

/**
 * SIDs: the token at place n has the n-th letter, and none is the beginning of another, since a decoder could not tell
 * where it ends. Equal SIDs are no fault: a policy of collisions may keep them.
 */
export function checkSids(sids: readonly (readonly string[])[], findings: Findings): void {
  const owners = new Map<string, number>();
  for (const [item, sid] of sids.entries()) {
    for (const [place, token] of sid.entries()) {
      const letter = String.fromCharCode(FIRST_LETTER + place);
      if (token[1] !== letter) {
        findings.add(
          `A token is not of the level where it stands`,
          `item ${item}: ${token} as token ${place + 1}`,
        );
      }
    }
    owners.set(sid.join(""), item);
  }
  for (const [item, sid] of sids.entries()) {
    for (let length = 1; length < sid.length; length++) {
      const prefix = sid.slice(0, length).join("");
      const owner = owners.get(prefix);
      if (owner === undefined) continue;
      findings.add(
        "A SID is the beginning of another",
        `${prefix} of item ${owner}, ${sid.join("")} of item ${item}`,
      );
    }
  }
}

/** One user's ranking, SIDs as joined token strings. */
export interface RankedSids {
  /** Oldest first. */
  history: string[];
  target: string;
  /** Best first. */
  predictions: string[];
  /** What the model was asked, where it reads words. */
  asked?: {
    system: string;
    instruction: string;
    input: string;
    /** All of it as the model read it. */
    prompt: string;
  };
}

/** Means over users, keyed by cut-off in ascending order. */
export interface CutoffMeans {
  /** Hit rate. */
  hr: Record<string, number>;
  /** Normalised discounted cumulative gain. */
  ndcg: Record<string, number>;
}

/** How another project writes down the predictions of an evaluation: a JSON list with one row a user. */
export interface ResultFormat {
  /** As `--format` names it. */
  name: string;
  /** A user's row, its fields in the order of the file. */
  row(ranked: RankedSids): Record<string, unknown>;
  /** Further files beside the rows, name and text; `rows` is where those are. */
  summary(means: CutoffMeans, rows: string): [name: string, text: string][];
}

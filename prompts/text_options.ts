import type { Prompts } from "./prompts.ts";
import type { TaskInput } from "./tasks/task.ts";

/** How to ask for the next item in words. */
export interface TextPromptsOptions extends TaskInput {
  /** Words, frame and tokenizer: those of the training. */
  prompts: Prompts;
  /** Most tokens of prompt and answer together; the oldest items of a history are left out. Default: no limit. */
  maxLength?: number;
  /** The task that is asked, one that is answered with a SID alone. Default: next-item. */
  task?: string;
  /**
   * Whether the model also writes the end of the frame, as in MiniOneRec's trie. Default: only where one SID begins
   * another, since after a whole SID nothing else can follow.
   */
  end?: boolean;
  /** Most tokens of the reasons that a model writes before a SID; prompts of such tasks leave room for them. 0 (default): 128, at most half of `maxLength`. */
  maxNewTokens?: number;
  /** Names of the tasks that the model learned. Default: none is known. */
  trained?: readonly string[];
  /** Set where the model learned no prompt in the words of `task`. */
  unseen?: true;
}

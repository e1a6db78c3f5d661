import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import { checkedEtegrec, type EtegrecConfig, EtegrecSchema } from "../../../train/etegrec/config.ts";

Deno.test("checkedEtegrec() takes evaluations that divide the cycle or that it divides", () => {
  const checked = (settings: Partial<EtegrecConfig>) => () => checkedEtegrec(EtegrecSchema.parse(settings));
  const refused = (settings: Partial<EtegrecConfig>, message: RegExp) =>
    assert.throws(checked(settings), (error) => error instanceof UserError && message.test(error.message));
  for (const evalEpochs of [1, 2, 4, 8]) checked({ cycle: 4, evalEpochs, numTrainEpochs: 8 })();
  refused({ cycle: 4, evalEpochs: 3 }, /every 3 epochs with a cycle of 4: .* Use --eval-epochs 4/);
  refused({ cycle: 4, evalEpochs: 6 }, /every 6 epochs with a cycle of 4/);
  refused({ cycle: 4, evalEpochs: 4, numTrainEpochs: 6 }, /6 epochs in cycles of 4: .*--num-train-epochs 8/);
});

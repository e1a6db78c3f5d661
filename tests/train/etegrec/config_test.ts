import assert from "node:assert/strict";
import { UserError } from "../../../base/user_error.ts";
import {
  alignmentWeights,
  checkedEtegrec,
  type EtegrecConfig,
  EtegrecSchema,
} from "../../../train/etegrec/config.ts";
import { pretrainingConfig } from "../../../train/etegrec/item_tokenizer_config.ts";

Deno.test("alignmentWeights() are ETEGRec's in both phases, and each phase may have its own", () => {
  const weights = (settings: Partial<EtegrecConfig>, phase: "tokenizer" | "recommender") =>
    alignmentWeights(EtegrecSchema.parse(settings), phase);
  for (const phase of ["tokenizer", "recommender"] as const) {
    assert.deepEqual(weights({}, phase), { sia: 1e-4, psa: 3e-4 });
  }
  // A run from before the phases were told apart has one weight for both.
  assert.deepEqual(weights({ siaWeight: 0.1, psaWeight: 0.2 }, "tokenizer"), { sia: 0.1, psa: 0.2 });
  const four = { siaWeight: 1, psaWeight: 2, tokenizerSiaWeight: 3, tokenizerPsaWeight: 0 };
  assert.deepEqual(weights(four, "recommender"), { sia: 1, psa: 2 });
  assert.deepEqual(weights(four, "tokenizer"), { sia: 3, psa: 0 });
});

Deno.test("pretrainingConfig() hands every setting of the tokenizer on", () => {
  const config = EtegrecSchema.parse({
    tokenizerSinkhornEpsilons: [0, 0, 0.003],
    tokenizerSinkhornIterations: 7,
    tokenizerCodebookStart: "kmeans-batch",
    tokenizerStartIterations: 9,
    tokenizerPatience: 4,
    tokenizerDropout: 0.1,
    tokenizerWeightDecay: 0.01,
    tokenizerWarmupEpochs: 3,
    tokenizerQuantLossWeight: 2,
    tokenizerResetDeadCodes: false,
  });
  const { sinkhornEpsilons, sinkhornIterations, codebookStart, startIterations, patience, ...rest } =
    pretrainingConfig(config, 5);
  assert.deepEqual(
    [sinkhornEpsilons, sinkhornIterations, codebookStart, startIterations, patience],
    [[0, 0, 0.003], 7, "kmeans-batch", 9, 4],
  );
  const { dropout, weightDecay, warmupEpochs, quantLossWeight, resetDeadCodes, seed } = rest;
  assert.deepEqual(
    [dropout, weightDecay, warmupEpochs, quantLossWeight, resetDeadCodes, seed],
    [0.1, 0.01, 3, 2, false, 5],
  );
});

Deno.test("checkedEtegrec() takes evaluations that divide the cycle or that it divides", () => {
  const checked = (settings: Partial<EtegrecConfig>) => () => checkedEtegrec(EtegrecSchema.parse(settings));
  const refused = (settings: Partial<EtegrecConfig>, message: RegExp) =>
    assert.throws(checked(settings), (error) => error instanceof UserError && message.test(error.message));
  for (const evalEpochs of [1, 2, 4, 8]) checked({ cycle: 4, evalEpochs, numTrainEpochs: 8 })();
  refused({ cycle: 4, evalEpochs: 3 }, /every 3 epochs with a cycle of 4: .* Use --eval-epochs 4/);
  refused({ cycle: 4, evalEpochs: 6 }, /every 6 epochs with a cycle of 4/);
  refused({ cycle: 4, evalEpochs: 4, numTrainEpochs: 6 }, /6 epochs in cycles of 4: .*--num-train-epochs 8/);
});

import type { Runner } from "../kernels/contender.ts";
import { fusedParameters, paddedStep } from "../layouts/padded.ts";
import { causalAttention, causalMask } from "./tfjs_attention.ts";
import type { Tfjs, TfjsTensor } from "./tfjs_types.ts";
import { CHECKED_STEPS, NORM_EPS, OPTIMIZER, type StepWorkload } from "../kernels/workload.ts";

/** The decoder's training step in tfjs over a padded batch. */
export function tfjsStep(tf: Tfjs, step: StepWorkload): Runner {
  const { width, layers, heads, vocabulary } = step;
  const headDim = width / heads;
  const { batch, longest, ...host } = paddedStep(step);
  const initial = fusedParameters(step);
  const names = Object.keys(initial);
  const variables = (suffix: string, make: (name: string) => TfjsTensor) =>
    Object.fromEntries(names.map((name) => [name, tf.variable(make(name), suffix === "", name + suffix)]));
  const p = variables("", (name) => tf.tensor(initial[name].data, initial[name].shape));
  const m = variables(".m", (name) => tf.zeros(initial[name].shape));
  const v = variables(".v", (name) => tf.zeros(initial[name].shape));

  const tokens = tf.tensor(host.tokens, [batch * longest], "int32");
  const rows = tf.tensor(host.rows, [host.rows.length], "int32");
  const targets = tf.tensor(host.rowTargets, [host.rows.length], "int32");
  const cos = tf.tensor(host.cos, [longest, 1, headDim / 2]);
  const sin = tf.tensor(host.sin, [longest, 1, headDim / 2]);
  const mask = causalMask(tf, longest);
  const headShape = [batch, longest, heads, headDim];

  const norm = (x: TfjsTensor, gain: TfjsTensor) =>
    x.div(tf.mean(x.square(), -1, true).add(NORM_EPS).sqrt()).mul(gain);
  const rotate = (x: TfjsTensor) => {
    const [a, b] = tf.split(x.reshape(headShape), 2, -1);
    return tf.concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
  };

  function loss(): TfjsTensor {
    let stream = tf.gather(p.embedding, tokens);
    for (let layer = 0; layer < layers; layer++) {
      const [q, k, v] = tf.split(tf.matMul(norm(stream, p[`norm1.${layer}`]), p[`qkv.${layer}`]), 3, -1);
      const attended = causalAttention(tf, rotate(q), rotate(k), v.reshape(headShape), mask);
      stream = stream.add(tf.matMul(attended.reshape([batch * longest, width]), p[`output.${layer}`]));
      const middle = norm(stream, p[`norm2.${layer}`]);
      const [gate, up] = tf.split(tf.matMul(middle, p[`gateUp.${layer}`]), 2, -1);
      stream = stream.add(tf.matMul(gate.mul(gate.sigmoid()).mul(up), p[`down.${layer}`]));
    }
    const logProbs = tf.logSoftmax(tf.matMul(norm(tf.gather(stream, rows), p.norm), p.head));
    return logProbs.mul(tf.oneHot(targets, vocabulary)).sum().mul(-1 / host.rows.length);
  }

  const { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm } = OPTIMIZER;
  let t = 0;
  const once = (): TfjsTensor =>
    tf.tidy(() => {
      t++;
      const { value, grads } = tf.variableGrads(loss, Object.values(p));
      // Not addN(): on this backend it returns wrong sums of more than a few terms.
      const length = names.map((name) => grads[name].square().sum()).reduce((a, b) => a.add(b)).sqrt();
      const clip = tf.minimum(tf.tensor(Float32Array.of(maxGradNorm), [1]).div(length.add(1e-6)), 1);
      for (const name of names) {
        const g = grads[name].mul(clip);
        m[name].assign(m[name].mul(beta1).add(g.mul(1 - beta1)));
        v[name].assign(v[name].mul(beta2).add(g.square().mul(1 - beta2)));
        const size = v[name].mul(1 / (1 - beta2 ** t)).sqrt().add(eps);
        const change = m[name].div(size).mul(learningRate / (1 - beta1 ** t));
        const kept = initial[name].decay ? 1 - learningRate * weightDecay : 1;
        p[name].assign(p[name].mul(kept).sub(change));
      }
      return value;
    });
  return {
    async run(times) {
      const losses = Array.from({ length: times }, once);
      // Reading submits all that is queued, and the queue runs in order.
      await p.norm.data();
      for (const loss of losses) loss.dispose();
    },
    async outputs() {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) losses.push((await once().data())[0]);
      return { losses };
    },
  };
}

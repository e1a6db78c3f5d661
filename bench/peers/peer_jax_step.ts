import type { Runner } from "../kernels/contender.ts";
import type { Jax, JaxArray, JaxDevice } from "./jax_types.ts";
import { fusedParameters, paddedStep } from "../layouts/padded.ts";
import { CHECKED_STEPS, NORM_EPS, OPTIMIZER, type StepWorkload } from "../kernels/workload.ts";

type Named = Record<string, JaxArray>;

const refs = (named: Named): Named =>
  Object.fromEntries(Object.entries(named).map(([name, x]) => [name, x.ref]));

/** The decoder's training step in jax-js: one jitted function over a padded batch. */
export function jaxStep(jax: Jax, device: JaxDevice, step: StepWorkload): Runner {
  const { numpy: np, nn } = jax;
  const { width, layers, heads, vocabulary } = step;
  const headDim = width / heads;
  const { batch, longest, ...host } = paddedStep(step);
  const initial = fusedParameters(step);
  const names = Object.keys(initial);
  // The gradient of `take` adds with float atomics, which naga (Deno's shader compiler) refuses: on WebGPU tokens are
  // looked up by a one-hot product instead, and logits are computed at every row.
  const canGather = device === "wasm";

  const norm = (x: JaxArray, gain: JaxArray) => {
    const scale = np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(NORM_EPS));
    return x.div(scale).mul(gain);
  };
  const rotate = (x: JaxArray, cos: JaxArray, sin: JaxArray) => {
    const [a, b] = np.split(x.reshape([batch, longest, heads, headDim]), 2, -1);
    const left = a.ref.mul(cos.ref).sub(b.ref.mul(sin.ref));
    return np.concatenate([left, b.mul(cos).add(a.mul(sin))], -1);
  };

  function loss(p: Named, data: Named): JaxArray {
    let stream = canGather
      ? np.take(p.embedding, data.tokens, 0)
      : np.dot(nn.oneHot(data.tokens, vocabulary), p.embedding);
    for (let layer = 0; layer < layers; layer++) {
      const normed = norm(stream.ref, p[`norm1.${layer}`]);
      const [q, k, v] = np.split(np.dot(normed, p[`qkv.${layer}`]), 3, -1);
      const attended = nn.dotProductAttention(
        rotate(q, data.cos.ref, data.sin.ref),
        rotate(k, data.cos.ref, data.sin.ref),
        v.reshape([batch, longest, heads, headDim]),
        { isCausal: true },
      ).reshape([batch * longest, width]);
      stream = stream.add(np.dot(attended, p[`output.${layer}`]));
      const middle = norm(stream.ref, p[`norm2.${layer}`]);
      const [gate, up] = np.split(np.dot(middle, p[`gateUp.${layer}`]), 2, -1);
      stream = stream.add(np.dot(nn.silu(gate).mul(up), p[`down.${layer}`]));
    }
    data.cos.dispose();
    data.sin.dispose();
    const selected = canGather ? np.take(stream, data.rows, 0) : stream;
    const logProbs = nn.logSoftmax(np.dot(norm(selected, p.norm), p.head));
    const picked = logProbs.mul(nn.oneHot(data.targets, vocabulary)).sum(-1);
    return picked.mul(data.weights).sum().mul(-1);
  }

  const { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm } = OPTIMIZER;
  const update = jax.jit((p: Named, m: Named, v: Named, data: Named, corrections: Named) => {
    const [value, gradients] = jax.valueAndGrad(loss)(refs(p), data);
    const squares = names.map((name) => np.square(gradients[name].ref).sum()).reduce((a, b) => a.add(b));
    const clip = np.minimum(np.reciprocal(np.sqrt(squares).add(1e-6)).mul(maxGradNorm), 1);
    const next: { p: Named; m: Named; v: Named } = { p: {}, m: {}, v: {} };
    for (const name of names) {
      const g = gradients[name].mul(clip.ref);
      next.m[name] = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      next.v[name] = v[name].mul(beta2).add(np.square(g).mul(1 - beta2));
      const size = np.sqrt(next.v[name].ref.mul(corrections.second.ref)).add(eps);
      const change = next.m[name].ref.mul(corrections.first.ref).div(size).mul(learningRate);
      next.p[name] = p[name].mul(initial[name].decay ? 1 - learningRate * weightDecay : 1).sub(change);
    }
    for (const spent of [clip, corrections.first, corrections.second]) spent.dispose();
    return { ...next, loss: value };
  });

  const named = (make: (name: string) => JaxArray): Named =>
    Object.fromEntries(names.map((name) => [name, make(name)]));
  let state = {
    p: named((name) => np.array(initial[name].data).reshape(initial[name].shape)),
    m: named((name) => np.zeros(initial[name].shape)),
    v: named((name) => np.zeros(initial[name].shape)),
  };
  const angles = (x: Float32Array) => np.array(x).reshape([longest, 1, headDim / 2]);
  const rowWeights = new Float32Array(host.rows.length).fill(1 / host.rows.length);
  const data: Named = {
    tokens: np.array(host.tokens),
    targets: np.array(canGather ? host.rowTargets : host.targets),
    weights: np.array(canGather ? rowWeights : host.weights),
    cos: angles(host.cos),
    sin: angles(host.sin),
    ...(canGather ? { rows: np.array(host.rows) } : {}),
  };

  let t = 0;
  const once = (): JaxArray => {
    t++;
    const corrections = {
      first: np.array(Float32Array.of(1 / (1 - beta1 ** t))),
      second: np.array(Float32Array.of(1 / (1 - beta2 ** t))),
    };
    const { loss, ...next } = update(state.p, state.m, state.v, refs(data), corrections);
    state = next;
    return loss;
  };
  return {
    async run(times) {
      const losses = Array.from({ length: times }, once);
      await jax.blockUntilReady([...losses, ...Object.values(state.p)]);
      for (const loss of losses) loss.dispose();
    },
    async outputs() {
      const losses: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) losses.push((await once().data())[0]);
      return { losses };
    },
  };
}

import type { Contender, Runner } from "../kernels/contender.ts";
import { load } from "../kernels/packages.ts";
import { pad, unpad } from "../layouts/padded.ts";
import { tfjsStep } from "./peer_tfjs_step.ts";
import { causalAttention, causalMask } from "./tfjs_attention.ts";
import { serve } from "../speed/serve.ts";
import type { Tfjs, TfjsTensor } from "./tfjs_types.ts";
import {
  attentionInputs,
  type AttentionWorkload,
  matmulInputs,
  type MatmulWorkload,
  type Outputs,
} from "../kernels/workload.ts";

const contender: Contender = {
  name: "tfjs webgpu",
  async open(workload) {
    const tf = await load<Tfjs>("tfjs");
    await load("tfjsWebgpu");
    if (!await tf.setBackend("webgpu")) throw new Error("tfjs cannot start its webgpu backend");
    await tf.ready();
    return workload.kind === "matmul"
      ? matmul(tf, workload)
      : workload.kind === "attention"
      ? attention(tf, workload)
      : tfjsStep(tf, workload);
  },
};

function matmul(tf: Tfjs, workload: MatmulWorkload): Runner {
  const { m, k, n } = workload;
  const inputs = matmulInputs(workload);
  const a = tf.tensor(inputs.a, [m, k]);
  const b = tf.tensor(inputs.b, [k, n]);
  return runner(() => [tf.matMul(a, b)], async ([c]) => ({ c: await c.data() }));
}

function attention(tf: Tfjs, workload: AttentionWorkload): Runner {
  const { lengths, heads, headDim, backward } = workload;
  const [batch, longest, width] = [lengths.length, Math.max(...lengths), heads * headDim];
  const inputs = attentionInputs(workload);
  const [q, k, v, dO] = [inputs.q, inputs.k, inputs.v, inputs.dO].map((x) =>
    tf.tensor(pad(x, lengths, width), [batch, longest, heads, headDim])
  );
  const mask = causalMask(tf, longest);
  const attend = (q: TfjsTensor, k: TfjsTensor, v: TfjsTensor) => causalAttention(tf, q, k, v, mask);
  const once = (): TfjsTensor[] =>
    tf.tidy(() => {
      if (!backward) return [attend(q, k, v)];
      const { value, grads } = tf.valueAndGrads(attend)([q, k, v], dO);
      return [value, ...grads];
    });
  const names = ["o", "dq", "dk", "dv"];
  return runner(once, async (outputs) => {
    const arrays = await Promise.all(outputs.map((x) => x.data()));
    return Object.fromEntries(arrays.map((x, i) => [names[i], unpad(x, lengths, width)]));
  });
}

function runner(once: () => TfjsTensor[], named: (outputs: TfjsTensor[]) => Promise<Outputs>): Runner {
  return {
    async run(times) {
      const results = Array.from({ length: times }, once);
      // The queue runs in order, so the last result is there when all are.
      await results.at(-1)!.at(-1)!.data();
      for (const tensor of results.flat()) tensor.dispose();
    },
    outputs: () => named(once()),
  };
}

await serve(contender);

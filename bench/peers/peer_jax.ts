import type { Contender, Runner } from "../kernels/contender.ts";
import { jaxStep } from "./peer_jax_step.ts";
import { load } from "../kernels/packages.ts";
import { pad, unpad } from "../layouts/padded.ts";
import { serve } from "../speed/serve.ts";
import type { Jax, JaxArray, JaxDevice } from "./jax_types.ts";
import {
  attentionInputs,
  type AttentionWorkload,
  matmulInputs,
  type MatmulWorkload,
} from "../kernels/workload.ts";

const device = Deno.args[0] as JaxDevice;

const contender: Contender = {
  name: `jax-js ${device}`,
  async open(workload) {
    const jax = await load<Jax>("jax");
    await jax.init();
    jax.defaultDevice(device);
    return workload.kind === "matmul"
      ? matmul(jax, workload)
      : workload.kind === "attention"
      ? attention(jax, workload)
      : jaxStep(jax, device, workload);
  },
};

function matmul(jax: Jax, workload: MatmulWorkload): Runner {
  const { m, k, n } = workload;
  const inputs = matmulInputs(workload);
  const a = jax.numpy.array(inputs.a).reshape([m, k]);
  const b = jax.numpy.array(inputs.b).reshape([k, n]);
  const dot = jax.jit((a: JaxArray, b: JaxArray) => [jax.numpy.dot(a, b)]);
  return runner(jax, () => dot(a.ref, b.ref), ([c]) => ({ c }));
}

function attention(jax: Jax, workload: AttentionWorkload): Runner {
  const { lengths, heads, headDim, backward } = workload;
  const width = heads * headDim;
  const inputs = attentionInputs(workload);
  const shape = [lengths.length, Math.max(...lengths), heads, headDim];
  const [q, k, v, dO] = [inputs.q, inputs.k, inputs.v, inputs.dO].map((x) =>
    jax.numpy.array(pad(x, lengths, width)).reshape(shape)
  );
  const attend = (q: JaxArray, k: JaxArray, v: JaxArray) =>
    jax.nn.dotProductAttention(q, k, v, { isCausal: true });
  const forward = jax.jit((q: JaxArray, k: JaxArray, v: JaxArray) => [attend(q, k, v)]);
  const both = jax.jit((q: JaxArray, k: JaxArray, v: JaxArray, dO: JaxArray) => {
    const [o, pull] = jax.vjp(attend, [q, k, v]);
    const gradients = pull(dO);
    pull.dispose();
    return [o, ...gradients];
  });
  const once = () => backward ? both(q.ref, k.ref, v.ref, dO.ref) : forward(q.ref, k.ref, v.ref);
  const names = ["o", "dq", "dk", "dv"];
  return runner(
    jax,
    once,
    (outputs) => Object.fromEntries(outputs.map((x, i) => [names[i], unpad(x, lengths, width)])),
  );
}

function runner(
  jax: Jax,
  once: () => JaxArray[],
  named: (outputs: Float32Array[]) => Record<string, Float32Array>,
): Runner {
  return {
    async run(times) {
      // All results are kept until they are there: jax-js drops pending work that nobody holds.
      const results = Array.from({ length: times }, once);
      await jax.blockUntilReady(results);
      for (const result of results.flat()) result.dispose();
    },
    outputs: async () => named(await Promise.all(once().map((x) => x.data()))),
  };
}

await serve(contender);

import { type Contender, NotSupported, type Runner } from "../kernels/contender.ts";
import { onnxModel, type OnnxNode } from "./onnx_model.ts";
import { load } from "../kernels/packages.ts";
import { pad, swapHeads, unpad } from "../layouts/padded.ts";
import { serve } from "../speed/serve.ts";
import {
  attentionInputs,
  type AttentionWorkload,
  matmulInputs,
  type MatmulWorkload,
} from "../kernels/workload.ts";

interface Tensor {
  readonly data: Float32Array;
}
/** The part of onnxruntime-node that is used here. */
interface OnnxRuntime {
  Tensor: new (type: "float32", data: Float32Array, shape: number[]) => Tensor;
  InferenceSession: {
    create(
      model: Uint8Array,
    ): Promise<{ run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> }>;
  };
}

const contender: Contender = {
  name: "onnxruntime cpu",
  async open(workload) {
    if (workload.kind === "step") throw new NotSupported("no training: onnxruntime-node has no gradients");
    if (workload.kind === "attention" && workload.backward) {
      throw new NotSupported("no backward: onnxruntime-node has no gradients");
    }
    const runtime = (await load<{ default: OnnxRuntime }>("onnxruntime")).default;
    return workload.kind === "matmul" ? matmul(runtime, workload) : attention(runtime, workload);
  },
};

async function matmul(runtime: OnnxRuntime, workload: MatmulWorkload): Promise<Runner> {
  const { m, k, n } = workload;
  const { a, b } = matmulInputs(workload);
  const node: OnnxNode = {
    operator: "MatMul",
    inputs: [{ name: "a", shape: [m, k] }, { name: "b", shape: [k, n] }],
    output: { name: "c", shape: [m, n] },
  };
  const once = await session(runtime, node, { a, b });
  return runner(once, (c) => ({ c }));
}

async function attention(runtime: OnnxRuntime, workload: AttentionWorkload): Promise<Runner> {
  const { lengths, heads, headDim } = workload;
  const { q, k, v } = attentionInputs(workload);
  const [batch, longest, width] = [lengths.length, Math.max(...lengths), heads * headDim];
  const laidOut = (x: Float32Array) => swapHeads(pad(x, lengths, width), [batch, longest, heads, headDim]);
  const shape = [batch, heads, longest, headDim];
  const node: OnnxNode = {
    operator: "Attention",
    inputs: ["q", "k", "v"].map((name) => ({ name, shape })),
    output: { name: "o", shape },
    attributes: { is_causal: 1 },
  };
  const once = await session(runtime, node, { q: laidOut(q), k: laidOut(k), v: laidOut(v) });
  return runner(
    once,
    (o) => ({ o: unpad(swapHeads(o, [batch, heads, longest, headDim]), lengths, width) }),
  );
}

async function session(runtime: OnnxRuntime, node: OnnxNode, inputs: Record<string, Float32Array>) {
  const session = await runtime.InferenceSession.create(onnxModel(node));
  const feeds = Object.fromEntries(
    node.inputs.map(({ name, shape }) => [name, new runtime.Tensor("float32", inputs[name], shape)]),
  );
  return async () => (await session.run(feeds))[node.output.name].data;
}

function runner(
  once: () => Promise<Float32Array>,
  named: (output: Float32Array) => Record<string, Float32Array>,
): Runner {
  return {
    async run(times) {
      for (let i = 0; i < times; i++) await once();
    },
    outputs: async () => named(await once()),
  };
}

await serve(contender);

import type { Device } from "../../kernels/gpu/device.ts";
import { blockSpecs, splitsGate } from "../../models/decoder/blocks.ts";
import type { DecoderConfig } from "../../models/decoder/config.ts";
import { mostRows } from "../../models/parameters/spec.ts";
import type { SftConfig } from "./config.ts";

/**
 * The settings with micro batches that the device can bind: halved until they fit, and as many more to an optimizer step,
 * which then learns from as many tokens. Where a step has sequences (`batchSize`), it has micro batches as it needs them.
 */
export function withMicroBatch(
  config: SftConfig,
  architecture: DecoderConfig,
  device: Device,
): SftConfig {
  const { tokensPerBatch, gradientAccumulationSteps, batchSize } = config;
  const most = mostRows(device, blockSpecs(architecture, splitsGate(architecture, device)));
  let parts = 1;
  while (Math.floor(tokensPerBatch / parts) > most) parts *= 2;
  return {
    ...config,
    tokensPerBatch: Math.floor(tokensPerBatch / parts),
    gradientAccumulationSteps: gradientAccumulationSteps * (batchSize > 0 ? 1 : parts),
  };
}

// Devices that the tests of a file share. A device compiles each kernel once, and on small inputs that is most of the work.
import { Device } from "../kernels/gpu/device.ts";
import type { Layout } from "../kernels/gpu/tensor.ts";

const opened = new Map<Layout | undefined, Promise<Device>>();

/** The device with matrices in `layout`. Tests that count what a device holds or makes take {@link ownDevice}. */
export function sharedDevice(layout?: Layout): Promise<Device> {
  let device = opened.get(layout);
  if (!device) opened.set(layout, device = Device.open({ layout }));
  return device;
}

/** A device for one test, with memory and counters of its own, and the kernels that were compiled before. */
export async function ownDevice(layout?: Layout): Promise<Device> {
  return (await sharedDevice(layout)).sibling();
}

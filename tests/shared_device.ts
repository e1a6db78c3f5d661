// Devices that the tests of a file share. A device compiles each kernel once, and on small inputs that is most of the work.
import { Device } from "../kernels/gpu/device.ts";
import type { Layout } from "../kernels/gpu/tensor.ts";

const opened = new Map<Layout | undefined, Promise<Device>>();

/** The device with matrices in `layout`. Tests that count what a device holds or makes open one of their own. */
export function sharedDevice(layout?: Layout): Promise<Device> {
  let device = opened.get(layout);
  if (!device) opened.set(layout, device = Device.open({ layout }));
  return device;
}

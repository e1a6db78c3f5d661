// genrec's own side in a process of its own, so that its memory is counted as the peers' is.
import { Device } from "../kernels/device.ts";
import { oursOn } from "./ours.ts";
import { serve } from "./serve.ts";

await serve(oursOn(await Device.open()));

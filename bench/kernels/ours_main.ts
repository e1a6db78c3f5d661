// genrec's own side in a process of its own, so that its memory is counted as the peers' is.
// Argument: the kernels to use, as in `--variant`.
import { Device } from "../../kernels/gpu/device.ts";
import { parseVariants } from "../../kernels/variant_names.ts";
import { oursOn } from "./ours.ts";
import { serve } from "../speed/serve.ts";

await serve(oursOn(await Device.open(parseVariants(Deno.args[0] ?? ""))));

// genrec's own side in a process of its own, so that its memory is counted as the peers' is.
// Arguments: the kernels to use, as in `--variant`, and the adapter, as in `--adapter`.
import { Device } from "../../kernels/gpu/device.ts";
import { parseVariants } from "../../kernels/variant_names.ts";
import { oursOn } from "./ours.ts";
import { serve } from "../speed/serve.ts";

const [variant = "", adapter = ""] = Deno.args;
await serve(oursOn(await Device.open({ adapter, ...parseVariants(variant) })));

import fc from "fast-check";

// A fixed seed, so that a red run says something of the change. Others: FC_SEED=$RANDOM deno task test
fc.configureGlobal({ seed: Number(Deno.env.get("FC_SEED") ?? 42) });

export default fc;

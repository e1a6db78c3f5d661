// Serves a folder on localhost until it is stopped, to look at a site: deno run -A bench/browser/serve.ts FOLDER
import { StaticHost } from "./static_host.ts";

const [folder = "site"] = Deno.args;
const { url } = new StaticHost(folder);
console.log(`${folder} is at ${url}`);

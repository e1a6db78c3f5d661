import { UserError } from "../../base/user_error.ts";
import { MODEL_FOLDER, SITE_FILE } from "./paths.ts";
import { sha256Of } from "./sha256.ts";
import { parseSite, type Site, type SiteModel } from "./site.ts";

/** The description of the site at `base`. Throws `UserError` where there is none. */
export async function fetchSite(base: string): Promise<Site> {
  return parseSite(new TextDecoder().decode(await fetchFile(new URL(SITE_FILE, base))), SITE_FILE);
}

/** Files of a site's model by their names. Throws `UserError` for one that is missing, or not the one that was exported. */
export async function fetchModel(
  base: string,
  model: SiteModel,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = Object.entries(model.files).map(async ([name, { bytes, sha256 }]) => {
    const path = `${MODEL_FOLDER}/${name}`;
    const content = await fetchFile(new URL(path, base));
    if (content.length !== bytes || await sha256Of(content) !== sha256) {
      throw new UserError(
        `Cannot use ${path}: it has ${content.length} bytes that are not those of the export, expected ${bytes}. ` +
          "Upload the whole site again",
      );
    }
    return [name, content] as const;
  });
  return new Map(await Promise.all(files));
}

async function fetchFile(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    // Beside files of another export, those that the browser keeps would not fit.
    response = await fetch(url, { cache: "no-cache" });
  } catch {
    throw new UserError(`Cannot load ${url.pathname}: the host does not answer. Load the page again`);
  }
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  throw new UserError(
    `Cannot load ${url.pathname}: the host answers ${response.status}, expected the file. Upload the whole site again`,
  );
}

/** Where the description of a site lies in it. */
export const SITE_FILE = "site.json";
/** Folder of its model. */
export const MODEL_FOLDER = "model";

import { didYouMean } from "../../../base/did_you_mean.ts";
import { type FileRole, filesOf } from "../../../base/files/find_file.ts";
import { UserError } from "../../../base/user_error.ts";

/** Catalogues, whose names are those of their categories; a file without a name before the dot has none. */
const CATALOGUES: FileRole = {
  layout: "*.item.json or *.index.json",
  folders: ["index", ""],
  fits: (name) => /.\.(item|index)\.json$/.test(name),
};
/** What MiniOneRec puts after a category in the names of splits and info: the core and the months. */
const SUFFIX = /_\d+_\d{4}-\d+-\d{4}-\d+$/;

/** A directory of MiniOneRec's, whole or one category of it. */
export interface Tree {
  dir: string;
  /** Which of its files are read, as MiniOneRec has all of Amazon's categories in one `data/Amazon`; "" for all. */
  category: string;
}

/** What a dataset is called by: a directory, or `DIR:CATEGORY`. */
export async function treeOf(data: string): Promise<Tree> {
  const at = data.lastIndexOf(":"), dir = data.slice(0, at);
  if (at <= 0 || await isFolder(data) || !await isFolder(dir)) return { dir: data, category: "" };
  return { dir, category: data.slice(at + 1) };
}

/**
 * The roles narrowed to the files of the tree's category. Throws `UserError` where there is no such category, or where the
 * directory has several files of a role and no category is named.
 */
export async function rolesIn({ dir, category }: Tree, roles: readonly FileRole[]): Promise<NarrowRoles> {
  const known = await categoriesIn(dir, roles);
  const listed = known.join(", ");
  if (category !== "" && !known.includes(category)) {
    throw new UserError(
      `Cannot find category ${category} in ${dir}: it holds ${
        listed || "files without a category in their names"
      }${didYouMean(category, known)}`,
    );
  }
  const isOurs = (name: string) => category === "" || categoryOf(name, known) === category;
  if (category === "" && known.length > 1) {
    const counts = await Promise.all(roles.map(async (role) => (await filesOf(dir, role)).length));
    if (counts.some((count) => count > 1)) {
      throw new UserError(
        `Cannot tell which dataset of ${dir} is meant: it holds the categories ${listed}. Name one, such as ` +
          `${dir}:${known[0]}`,
      );
    }
  }
  return {
    isOurs,
    narrow: (role) => ({ ...role, fits: (name, folder) => role.fits(name, folder) && isOurs(name) }),
  };
}

/** What {@link rolesIn} found. */
export interface NarrowRoles {
  narrow(role: FileRole): FileRole;
  /** Whether a file is of the category. */
  isOurs(name: string): boolean;
}

/** Categories by the names of catalogues, and of files that end as MiniOneRec's splits and info do. */
async function categoriesIn(dir: string, roles: readonly FileRole[]): Promise<string[]> {
  const names = (await Promise.all([CATALOGUES, ...roles].map((role) => filesOf(dir, role)))).flat()
    .map((path) => path.slice(path.lastIndexOf("/") + 1));
  const known = new Set(names.filter((name) => CATALOGUES.fits(name, "")).map(stemOf));
  for (const name of names) {
    const stem = stemOf(name);
    if (SUFFIX.test(stem)) known.add(stem.replace(SUFFIX, ""));
  }
  return [...known].sort();
}

function stemOf(name: string): string {
  return name.replace(/\.(item|index)\.json$|\.[^.]+$/, "");
}

/** The longest category that a file's name begins with: Toys_and_Games is not Toys. */
function categoryOf(name: string, categories: readonly string[]): string | undefined {
  return categories.filter((category) =>
    name.startsWith(category) && /^[._-]/.test(name.slice(category.length))
  )
    .toSorted((a, b) => b.length - a.length)[0];
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((stat) => stat.isDirectory, () => false);
}

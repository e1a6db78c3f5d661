/** The directory of a real dataset, or undefined, with the reason printed, where it is not on this machine. */
export function realData(name: string): string | undefined {
  const dir = `${Deno.env.get("GENREC_DATA") ?? "../shared/data"}/${name}`;
  try {
    Deno.statSync(dir);
    return dir;
  } catch {
    console.log(`Skipping tests on real data: no ${dir}. Set GENREC_DATA to the folder that holds ${name}`);
  }
}

import type { CatalogueSurvey } from "./catalogue_survey.ts";
import type { SurveyedCorpus } from "./survey.ts";

/** Texts that may stand in a table. */
export type TableText = keyof CatalogueSurvey extends infer K ? K extends `broken ${infer T}` ? T : never
  : never;

/**
 * Which texts a table of tabs in `file` cannot hold as they are, each with how many there are: their tabs and line ends
 * become spaces there.
 */
export async function brokenTexts(
  corpus: SurveyedCorpus,
  texts: readonly Exclude<TableText, "categories">[],
  file: string,
): Promise<string[]> {
  const { catalogue } = await corpus.survey();
  return texts.flatMap((name) => {
    const broken = catalogue[`broken ${name}`];
    return broken === 0 ? [] : [`${name} with tabs or line ends (${broken}), which become spaces in ${file}`];
  });
}

/** What `item.json` cannot hold of categories, which it joins with commas, with how many items have such. */
export async function brokenCategories(corpus: SurveyedCorpus): Promise<string[]> {
  const { "broken categories": broken } = (await corpus.survey()).catalogue;
  return broken === 0 ? [] : [
    `categories with commas or spaces around them (of ${broken} items), which item.json cannot tell apart`,
  ];
}

import type { Corpus, CorpusItem, CorpusSample } from "../corpus.ts";
import { toDataset } from "../corpus_dataset.ts";
import type { Dataset } from "../dataset.ts";
import { type Interaction, toColumns } from "../interactions.ts";
import { PhiloxStream } from "../../base/philox.ts";
import { CATEGORIES } from "./categories.ts";

/** Size of the built-in dataset; every field has a default. */
export interface SyntheticOptions {
  /** Default 0. */
  seed?: number;
  /** Catalogue size, default 600. */
  items?: number;
  /** Default 3000. */
  users?: number;
}

const MAX_HISTORY = 10;
const FEWEST_INTERACTIONS = 5;
const MOST_INTERACTIONS = 12;
const DAYS = 700;
const SECONDS_A_DAY = 86_400;
/** Longest gap between a user's purchases, in days. */
const MAX_GAP = 24;

/** What people do next: upper ends of cumulative probability. The rest buys any item (noise). */
const NEXT_VARIANT = 0.50;
const COMPLEMENT = 0.68;
const OTHER_PRODUCT = 0.80;
const BUY_AGAIN = 0.86;
const OTHER_CATEGORY = 0.94;

/** One brand's product line; `members` are item numbers in the order people buy them. */
interface Series {
  category: number;
  brand: number;
  noun: string;
  complement: string;
  members: number[];
}

interface World {
  items: CorpusItem[];
  series: Series[];
  /** `byCategory[category][brand]`: the series of that brand. */
  byCategory: Series[][][];
}

const MOST_ITEMS = CATEGORIES.reduce(
  (sum, { brands, products }) =>
    sum + brands.length * products.reduce((inner, { variants }) => inner + variants.length, 0),
  0,
);

/**
 * Generates a dataset without files: people work through a series in order (upwards or downwards), keep to a
 * brand, pick up complements on the way, buy again, drift to another category with the season, or buy anything.
 * All of it follows from the seed. Split by time over all samples, 8:1:1.
 * Throws `RangeError` for sizes it has no names for.
 */
export function syntheticDataset(options: SyntheticOptions = {}): Dataset {
  return toDataset(syntheticCorpus(options));
}

/** {@link syntheticDataset} with the times and the interactions behind the samples. */
export function syntheticCorpus({ seed = 0, items = 600, users = 3000 }: SyntheticOptions = {}): Corpus {
  if (!Number.isInteger(items) || items < 50 || items > MOST_ITEMS) {
    throw new RangeError(`Cannot generate ${items} items: expected an integer from 50 to ${MOST_ITEMS}`);
  }
  if (!Number.isInteger(users) || users < 10) {
    throw new RangeError(`Cannot generate ${users} users: expected an integer of 10 or more`);
  }
  const world = buildWorld(items, new PhiloxStream(seed, "synthetic items"));
  const timed: { sample: CorpusSample; day: number }[] = [];
  const interactions: Interaction[] = [];
  for (let user = 0; user < users; user++) {
    const random = new PhiloxStream(seed, "synthetic user", user);
    const { bought, days } = simulateUser(world, random);
    for (const [i, item] of bought.entries()) {
      const time = Math.floor(days[i] * SECONDS_A_DAY);
      interactions.push({ user, item, time });
      if (i === 0) continue;
      const history = bought.slice(Math.max(i - MAX_HISTORY, 0), i);
      timed.push({ sample: { user, history, target: item, time }, day: days[i] });
    }
  }
  timed.sort((a, b) => a.day - b.day);
  const samples = timed.map(({ sample }) => sample);
  const trainEnd = Math.floor(0.8 * samples.length), validEnd = Math.floor(0.9 * samples.length);
  return {
    name: `synthetic-${seed}`,
    source: `generated from seed ${seed}`,
    license: "Apache-2.0",
    split: "time",
    maxHistory: MAX_HISTORY,
    items: world.items,
    users: Array.from({ length: users }, (_, user) => ({ id: `U${user}` })),
    interactions: toColumns(interactions),
    samples: {
      train: samples.slice(0, trainEnd),
      valid: samples.slice(trainEnd, validEnd),
      test: samples.slice(validEnd),
    },
    attachments: {},
    files: [],
    unread: [],
  };
}

function buildWorld(count: number, random: PhiloxStream): World {
  const numbers = Array.from({ length: count }, (_, i) => i);
  for (let last = count - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
  const world: World = { items: [], series: [], byCategory: CATEGORIES.map(() => []) };
  let made = 0;
  for (let brand = 0; made < count; brand++) {
    for (const [category, { name, brands, products }] of CATEGORIES.entries()) {
      for (const { noun, complement, variants } of products) {
        const members = variants.slice(0, count - made).map((variant) => {
          const number = numbers[made++];
          world.items[number] = {
            id: String(number),
            title: `${brands[brand]} ${noun}, ${variant}`,
            description: `${noun} by ${brands[brand]} in ${variant}. Goes with ${complement}.`,
            brand: brands[brand],
            categories: [name],
          };
          return number;
        });
        if (members.length === 0) continue;
        const series = { category, brand, noun, complement, members };
        world.series.push(series);
        (world.byCategory[category][brand] ??= []).push(series);
      }
    }
  }
  return world;
}

/** A category, by standing popularity (1 / rank) times a season that peaks once in `DAYS`. */
function pickCategory(world: World, day: number, random: PhiloxStream): number {
  const weights = world.byCategory.map((brands, category) => {
    if (brands.length === 0) return 0;
    const phase = (day / DAYS + category * 0.381966) % 1;
    return (1 / (category + 3)) * (0.2 + Math.abs(2 * phase - 1));
  });
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  return weights.findIndex((weight) => weight > 0 && (left -= weight) < 0);
}

function pick<T>(values: readonly T[], random: PhiloxStream): T {
  return values[random.below(values.length)];
}

/** The complement is the same brand's where it has one, at the same place in the series as far as that goes. */
function complementOf(world: World, series: Series, place: number): number | undefined {
  const candidates = world.series.filter(({ noun }) => noun === series.complement);
  const match = candidates.find(({ brand }) => brand === series.brand) ?? candidates[0];
  return match?.members[Math.min(place, match.members.length - 1)];
}

function simulateUser(world: World, random: PhiloxStream): { bought: number[]; days: number[] } {
  const length = FEWEST_INTERACTIONS + random.below(MOST_INTERACTIONS - FEWEST_INTERACTIONS + 1);
  const direction = random.uniform() < 0.7 ? 1 : -1;
  let day = random.uniform() * DAYS;
  let category = pickCategory(world, day, random);
  let ofBrand = pick(world.byCategory[category], random);
  let series = pick(ofBrand, random);
  let place = random.below(series.members.length);

  const enter = (next: Series) => {
    series = next;
    place = direction > 0 ? 0 : series.members.length - 1;
    return series.members[place];
  };
  const otherCategory = () => {
    category = pickCategory(world, day, random);
    ofBrand = pick(world.byCategory[category], random);
    return enter(pick(ofBrand, random));
  };
  const otherProduct = () => {
    const others = ofBrand.filter((other) => other !== series);
    return others.length > 0 ? enter(pick(others, random)) : otherCategory();
  };
  const nextVariant = () => {
    if (series.members[place + direction] === undefined) return otherProduct();
    place += direction;
    return series.members[place];
  };

  const bought = [series.members[place]];
  const days = [day];
  while (bought.length < length) {
    day += 1 + random.uniform() * (MAX_GAP - 1);
    const choice = random.uniform();
    let item: number;
    if (choice < NEXT_VARIANT) item = nextVariant();
    // A complement is a detour: the series goes on where it was.
    else if (choice < COMPLEMENT) item = complementOf(world, series, place) ?? nextVariant();
    else if (choice < OTHER_PRODUCT) item = otherProduct();
    else if (choice < BUY_AGAIN) item = pick(bought, random);
    else if (choice < OTHER_CATEGORY) item = otherCategory();
    else item = random.below(world.items.length);
    bought.push(item);
    days.push(day);
  }
  return { bought, days };
}

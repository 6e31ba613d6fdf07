import type { Surroundings, Weighted } from './route.ts';

interface Place {
  readonly weights: string;
  readonly credit: Map<string, number>;
}

/**
 * Smooth weighted round robin: each choice earns its weight at every turn, the richest is taken and pays the sum. Over as many
 * turns as the weights add up to, each is taken exactly as often as it weighs, and evenly spread. New weights start anew.
 */
export function createWeightedChoice(): Surroundings['pick'] {
  const places = new Map<string, Place>();
  return <T extends Weighted>(key: string, choices: readonly T[]): T | undefined => {
    const weights = JSON.stringify(choices.map(({ id, weight }) => [id, weight]));
    let place = places.get(key);
    if (place?.weights !== weights) {
      place = { weights, credit: new Map() };
      places.set(key, place);
    }
    const { credit } = place;
    let total = 0;
    let richest: T | undefined;
    for (const choice of choices) {
      if (choice.weight <= 0) continue;
      total += choice.weight;
      const own = (credit.get(choice.id) ?? 0) + choice.weight;
      credit.set(choice.id, own);
      if (!richest || own > (credit.get(richest.id) ?? 0)) richest = choice;
    }
    if (richest) credit.set(richest.id, (credit.get(richest.id) ?? 0) - total);
    return richest;
  };
}

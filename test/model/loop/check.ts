import type { Broken } from '../invariants.ts';
import type { Plan } from './happenings.ts';
import { planOf, play, type PlayOptions } from './history.ts';

/** Plays the histories of these seeds on the real loop; the first that breaks something ends it. */
export async function checkLoop(
  firstSeed: number,
  count: number,
  options: PlayOptions = {},
): Promise<{ readonly seed: number; readonly broken: Broken } | undefined> {
  for (let index = 0; index < count; index += 1) {
    const seed = firstSeed + index;
    const broken = await play(planOf(seed), options);
    if (broken) return { seed, broken };
  }
  return undefined;
}

/** The same fault in fewer and simpler moments. */
export async function shrinkLoop(plan: Plan, { invariant }: Broken, options: PlayOptions = {}): Promise<Plan> {
  let smallest = plan;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of simpler(smallest)) {
      if ((await play(candidate, options))?.invariant !== invariant) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

function* simpler(plan: Plan): Generator<Plan> {
  const { moments } = plan;
  for (let size = moments.length >> 1; size >= 1; size >>= 1)
    for (let at = 0; at + size <= moments.length; at += size)
      yield { ...plan, moments: [...moments.slice(0, at), ...moments.slice(at + size)] };
  for (const [index, { happening, thenMs }] of moments.entries())
    if (happening.kind !== 'nothing')
      yield { ...plan, moments: moments.with(index, { happening: { kind: 'nothing' }, thenMs }) };
}

/** A history moment by moment, for people. */
export async function tellLoop(plan: Plan, options: PlayOptions = {}): Promise<string> {
  const lines = [`Canary ${JSON.stringify(plan.setting)}`];
  const broken = await play(plan, { ...options, onMoment: (line) => lines.push(line) });
  if (broken) lines.push(`       !! ${broken.message}`);
  return lines.join('\n');
}

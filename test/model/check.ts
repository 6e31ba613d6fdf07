import { Broken } from './invariants.ts';
import { type Line, type Plan, planOf, play, type PlayOptions } from './history.ts';

export interface Failure {
  readonly seed: number;
  readonly broken: Broken;
}

/** Plays the histories of these seeds; the first that breaks something ends it. */
export function check(firstSeed: number, count: number): Failure | undefined {
  for (let index = 0; index < count; index += 1) {
    const seed = firstSeed + index;
    const broken = brokenBy(planOf(seed));
    if (broken) return { seed, broken };
  }
  return undefined;
}

export function brokenBy(plan: Plan, options: PlayOptions = {}): Broken | undefined {
  try {
    play(plan, options);
    return undefined;
  } catch (error) {
    if (error instanceof Broken) return error;
    throw error;
  }
}

/** The same fault in fewer and simpler moments. */
export function shrink(plan: Plan, { invariant }: Broken): Plan {
  let smallest = plan;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const candidate of simpler(smallest)) {
      if (brokenBy(candidate)?.invariant !== invariant) continue;
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
  for (const [index, moment] of moments.entries()) {
    const replaced = (other: typeof moment): Plan => ({ ...plan, moments: moments.with(index, other) });
    if (Object.keys(moment.trouble).length > 0) yield replaced({ ...moment, trouble: {} });
    if (moment.happening.kind !== 'nothing') yield replaced({ ...moment, happening: { kind: 'nothing' } });
  }
}

/** A history tick by tick, for people. */
export function timelineOf(plan: Plan): string {
  const lines: string[] = [
    `Canary ${JSON.stringify(plan.setting)}`,
    `at last: metrics ${plan.atLast}${plan.staysBroken ? ', version 4 still broken' : ''}`,
  ];
  let startMs: number | undefined;
  const broken = brokenBy(plan, {
    onTick: ({ atMs, moment, told, phase, weight }) => {
      startMs ??= atMs;
      lines.push(`${String((atMs - startMs) / 1_000).padStart(5)} s  ${`${phase} ${weight}%`.padEnd(20)} ${moment}`);
      for (const effect of told.done) lines.push(`${' '.repeat(30)}${describeEffect(effect)}`);
    },
  });
  if (broken) lines.push(`       !! ${broken.message}`);
  return lines.join('\n');
}

function describeEffect(effect: Line['told']['done'][number]): string {
  switch (effect.kind) {
    case 'event':
      return `"${effect.event.message}"`;
    case 'write':
      return `write ${effect.object.kind} ${effect.object.metadata.name}`;
    case 'set-route':
      return `route ${effect.split.canaryWeight}${effect.split.mirror ? ' mirrored' : ''}`;
    case 'scale-target':
      return `scale to ${effect.replicas}`;
    case 'end-release':
      return `outcome: ${effect.verdict}`;
    case 'log':
    case 'alert':
      return `(${effect.message})`;
    case 'call-hook':
      return `call ${effect.hook.name}`;
    case 'copy-config':
    case 'join-copy':
    case 'leave-copy':
    case 'remove-scaler':
    case 'begin-release':
    case 'withdraw-release':
    case 'prepare-route':
    case 'reconcile-route':
    case 'restore-route':
      return effect.kind;
  }
}

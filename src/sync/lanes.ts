import { lastOfRights, waveOf } from '../manifest/order.ts';
import type { Tenancy } from '../manifest/tenancy.ts';
import { areaOf } from '../manifest/load.ts';
import type { ApplyAction } from './plan.ts';

type Waves = readonly (readonly ApplyAction[])[];

/** What is applied of one tenant, wave by wave. No tenant's waves wait for those of another one. */
export interface Lane {
  /** Of the tenant, see `areaOf`. */
  readonly area: string;
  readonly waves: Waves;
}

export interface Lanes {
  /** Before all lanes: what others need of those who may write everywhere, as namespaces and rights. */
  readonly first: Waves;
  readonly lanes: readonly Lane[];
}

/** Without tenants one lane has everything. */
export function lanesOf(waves: Waves, tenancy: Tenancy | undefined): Lanes {
  if (!tenancy) return { first: [], lanes: [{ area: '', waves }] };
  const isForAll = (area: string): boolean =>
    area === '' || tenancy.tenants.some(({ name, namespaces }) => name === area && namespaces.includes('*'));
  const first: ApplyAction[][] = [];
  const byArea = new Map<string, ApplyAction[][]>();
  for (const wave of waves) {
    const ofWave = new Map<string, ApplyAction[]>();
    const early: ApplyAction[] = [];
    for (const action of wave) {
      const area = areaOf(action.manifest.origin.path, { tenancy });
      const others = ofWave.get(area);
      if (waveOf(action.object) <= lastOfRights && isForAll(area)) early.push(action);
      else if (others) others.push(action);
      else ofWave.set(area, [action]);
    }
    if (early.length > 0) first.push(early);
    for (const [area, actions] of ofWave) byArea.set(area, [...(byArea.get(area) ?? []), actions]);
  }
  return { first, lanes: [...byArea].map(([area, ofArea]) => ({ area, waves: ofArea })) };
}

/** Places at which several do their work side by side: who has the fewest of them gets the next. */
export interface FairPlaces {
  run<Result>(who: string, work: () => Promise<Result>): Promise<Result>;
}

export function createFairPlaces(most: number): FairPlaces {
  const taken = new Map<string, number>();
  let free = most;
  const waiting = new Map<string, (() => void)[]>();
  const give = (who: string, more: number): void => {
    free -= more;
    taken.set(who, (taken.get(who) ?? 0) + more);
  };
  const next = (): void => {
    while (free > 0 && waiting.size > 0) {
      const [who] = [...waiting.keys()].sort((a, b) => (taken.get(a) ?? 0) - (taken.get(b) ?? 0));
      const line = who === undefined ? undefined : waiting.get(who);
      const begin = line?.shift();
      if (who === undefined || !line || !begin) return;
      if (line.length === 0) waiting.delete(who);
      give(who, 1);
      begin();
    }
  };
  return {
    async run(who, work) {
      await new Promise<void>((resolve) => {
        waiting.set(who, [...(waiting.get(who) ?? []), resolve]);
        next();
      });
      try {
        return await work();
      } finally {
        give(who, -1);
        next();
      }
    },
  };
}

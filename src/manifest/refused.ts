import type { Elsewhere } from './load.ts';
import { type OwnObjects, ownRefusal, type Refusal } from './own-objects.ts';
import type { Tenancy } from './tenancy.ts';
import type { Manifest, Problem } from './types.ts';

export interface Bounds {
  /** Absent: everything may be said from everywhere. */
  readonly tenancy?: Tenancy;
  /** Absent: nothing of it is refused. */
  readonly own?: OwnObjects;
}

export interface Within {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
  readonly refused: readonly Manifest[];
}

/** What may be applied, and what may not: one problem for each file and reason. Yields again and again. */
export function* leavingOutRefused(manifests: readonly Manifest[], bounds: Bounds): Generator<void, Within> {
  if (!bounds.tenancy && !bounds.own) return { manifests, problems: [], refused: [] };
  const refused: Manifest[] = [];
  const allowed: Manifest[] = [];
  const told = new Map<string, { readonly manifest: Manifest; readonly refusal: Refusal; others: number }>();
  for (const [at, manifest] of manifests.entries()) {
    if (at % 512 === 511) yield;
    const refusal = refusalOf(manifest, bounds);
    if (!refusal) {
      allowed.push(manifest);
      continue;
    }
    refused.push(manifest);
    const key = JSON.stringify([manifest.origin.path, refusal.hint]);
    const before = told.get(key);
    if (before) before.others += 1;
    else told.set(key, { manifest, refusal, others: 0 });
  }
  if (refused.length === 0) return { manifests, problems: [], refused };
  const problems = [...told.values()].map(({ manifest, refusal, others }) => problemOf(manifest, refusal, others));
  return { manifests: allowed, problems, refused };
}

/** Where it stands, for those who ask whether it is gone from Git. */
export const refusedAt = ({ origin: { path, line } }: Manifest): Elsewhere => ({
  path,
  line,
  what: 'holds what may not be applied from it',
  isToldOnce: true,
});

/** Undefined: it may be applied. */
function refusalOf({ object, origin }: Manifest, { tenancy, own }: Bounds): Refusal | undefined {
  return (own && ownRefusal(object, own)) ?? tenancy?.refusal(object, origin.path);
}

/** `others`: of the same file and for the same reason. */
function problemOf({ origin }: Manifest, { message, hint }: Refusal, others = 0): Problem {
  const more = others === 0 ? '' : `, nor ${others === 1 ? 'is another object' : `are ${others} others`} of this file`;
  return {
    severity: 'error',
    path: origin.path,
    line: origin.line,
    message: `${message}: it is not applied${more}`,
    hint,
  };
}

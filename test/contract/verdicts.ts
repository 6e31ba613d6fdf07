import { readFileSync } from 'node:fs';
import type { Json } from './cluster-api.ts';

/** What Kubernetes 1.34 says of one object that is applied to the namespace `default` by server-side apply. */
export interface Verdict {
  readonly name: string;
  readonly refused: boolean;
  readonly object: Json & {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string };
  };
}

export const verdicts = JSON.parse(
  readFileSync(new URL('../../fixtures/kubernetes/verdicts.json', import.meta.url), 'utf8'),
) as readonly Verdict[];

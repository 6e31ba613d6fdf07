import { keyOf } from '../../lib/key.ts';
import type { Explanation } from '../../report/types.ts';
import type { Row } from '../model/fleet.ts';
import { type PageContext, UiError } from '../page.ts';

/** Of the address. Throws where there is no such app. */
export function foundApp({ model, params, nowMs }: PageContext): {
  readonly row: Row;
  readonly explanation: Explanation;
} {
  const { namespace = '', name = '' } = params;
  const key = keyOf({ namespace, name });
  const row = model.row(key, nowMs);
  const explanation = model.explain(key, nowMs);
  if (!row || !explanation) throw new UiError(404, `There is no Canary ${key} in the cluster.`);
  return { row, explanation };
}

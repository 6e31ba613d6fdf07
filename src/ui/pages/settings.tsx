import type { FC } from 'hono/jsx';
import { at } from '../../lib/json.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { appPath, type PageRoute } from '../page.ts';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import { Card, Note } from './parts.tsx';

interface Field {
  /** As `spec.analysis` has it. */
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly kind: 'number' | 'text';
}

const fields: readonly Field[] = [
  { name: 'threshold', label: 'Failed checks until it is rolled back', hint: 'threshold', kind: 'number' },
  { name: 'interval', label: 'Time between two looks', hint: 'interval, like 30s or 1m', kind: 'text' },
  { name: 'maxWeight', label: 'Highest share of users before promotion, %', hint: 'maxWeight', kind: 'number' },
  { name: 'stepWeight', label: 'Step, %', hint: 'stepWeight', kind: 'number' },
  {
    name: 'stepWeights',
    label: 'Steps, %',
    hint: 'stepWeights, like [5, 20, 50]; takes the place of step and highest share',
    kind: 'text',
  },
  { name: 'iterations', label: 'Rounds', hint: 'iterations, of blue/green and A/B tests', kind: 'number' },
  { name: 'stepWeightPromotion', label: 'Step of the promotion, %', hint: 'stepWeightPromotion', kind: 'number' },
];

/** Asked for although the Canary does not say it. */
const always = new Set(['threshold', 'interval']);

export const settings: PageRoute = {
  path: '/apps/:namespace/:name/settings',
  needs: 'read',
  page(context) {
    const { row } = foundApp(context);
    const { model, viewer, href } = context;
    const canary = model.apps().get(row.key)?.canary;
    const mayChange = viewer.may('operate', row.status.namespace);
    const known = canary ? fieldsOf(canary) : [];
    return {
      title: `Settings of ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={href} tab="settings" />
          <Card title="How releases are judged" aside="spec.analysis of the Canary">
            {mayChange ? (
              <form class="form" method="get" action={href(appPath(row.key, 'acts/set'))}>
                <Inputs known={known} isFixed={false} />
                <label class="field">
                  Why
                  <input type="text" name="reason" maxlength={300} />
                  <span class="hint">Stands in the commit. May be left out.</span>
                </label>
                <p class="does">
                  <button class="strong" type="submit">
                    Preview the commit
                  </button>
                  <span class="muted small">
                    Nothing is written yet. The commit changes the Canary's YAML in Git; needs operate in{' '}
                    {row.status.namespace}.
                  </span>
                </p>
              </form>
            ) : (
              <div class="form">
                <Inputs known={known} isFixed />
                <Note kind="plain">
                  You may see these settings, and not change them: that needs operate in {row.status.namespace}.
                </Note>
              </div>
            )}
          </Card>
        </>
      ),
    };
  },
};

interface Known {
  readonly field: Field;
  readonly value: string;
}

const Inputs: FC<{ readonly known: readonly Known[]; readonly isFixed: boolean }> = ({ known, isFixed }) => (
  <div class="two">
    {known.map(({ field, value }) => (
      <Input field={field} value={value} isFixed={isFixed} />
    ))}
  </div>
);

const Input: FC<{ readonly field: Field; readonly value: string; readonly isFixed: boolean }> = ({
  field,
  value,
  isFixed,
}) => (
  <label class="field">
    {field.label}
    <input
      type={field.kind}
      name={`set.analysis.${field.name}`}
      value={value}
      {...(field.kind === 'number' ? { min: 0, max: 1_000_000, step: 1 } : { maxlength: 200 })}
      {...(isFixed ? { readonly: true } : {})}
    />
    <span class="hint">{field.hint}</span>
  </label>
);

/** As YAML has it on one line; empty where it is not said. */
export function settingText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(settingText).join(', ')}]`;
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** Of what the Canary says, and what each Canary should say. */
function fieldsOf(canary: KubeObject): readonly Known[] {
  const spec = canary['spec'];
  const said = at(spec, 'analysis') ?? at(spec, 'canaryAnalysis');
  return fields.flatMap((field) => {
    const value = at(said, field.name);
    return value === undefined && !always.has(field.name) ? [] : [{ field, value: settingText(value) }];
  });
}

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type AppOptions, appFiles, appPath, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { adopted, type OutcomeCommit, outcome, outcomes } from './outcomes.ts';
import { onceMore, onStage, type Stage } from './stage.ts';

const told = ({ happened }: Stage, name: string): string[] =>
  happened.filter(({ canary: whose }) => whose === `${name}.test`).map(({ message }) => message);

const withEnv =
  (variable: string) =>
  (text: string): string =>
    text.replace('          envFrom:', `          env:\n            - ${variable}\n          envFrom:`);

/** What a team pushes, and what everybody is told of it. */
const mistakes = {
  typo: {
    change: toTag('none'),
    reason: 'image cannot be pulled (not found)',
    event: 'image cannot be pulled (not found): registry.test/podinfo:none',
    body: /^ {2}pod typo-\S+, container podinfod: image registry\.test\/podinfo:none: \w+: .*not found/m,
  },
  crash: {
    change: withEnv('{ name: FAIL_RATE, value: "much: s3cr3t-of-the-app" }'),
    reason: 'container crashes (exit 1)',
    event: 'container crashes (exit 1): FAIL_RATE: cannot parse "much: ***"',
    body: /^ {2}last log lines:\n {4}FAIL_RATE: cannot parse "much: \*\*\*"$/m,
  },
  config: {
    change: withEnv('{ name: COLOUR, valueFrom: { configMapKeyRef: { name: config-settings, key: colour } } }'),
    reason: 'key colour of ConfigMap config-settings is missing',
    event: 'key colour of ConfigMap config-settings is missing',
    body: /^ {2}pod config-\S+, container podinfod: CreateContainerConfigError: couldn't find key colour in ConfigMap test\/config-settings$/m,
  },
  probe: {
    change: toTag('3.1.4'),
    reason: 'readiness probe fails (HTTP 503)',
    event: 'readiness probe fails (HTTP 503)',
    body: /^ {2}pod probe-\S+, container podinfod: readiness probe failed: HTTP probe failed with statuscode: 503$/m,
  },
} as const;

const secret =
  'apiVersion: v1\nkind: Secret\nmetadata: { name: crash, namespace: test }\ndata: { password: czNjcjN0LW9mLXRoZS1hcHA= }\n';
const filesOf = (name: string): Record<string, string> => {
  const app: AppOptions = { name, progressDeadlineSeconds: 30 };
  const files = appFiles(app);
  const withSecret = (files[appPath(name)] ?? '').replace(
    '          readinessProbe',
    '            - secretRef: { name: crash }\n          readinessProbe',
  );
  return name === 'crash' ? { ...files, [appPath(name)]: `${withSecret}---\n${secret}` } : files;
};

describe('a version that does not start', onceMore, () => {
  it('is told with its reason, in events, in the subject and body of the commit, and in the ledger', async () => {
    const names = Object.keys(mistakes) as (keyof typeof mistakes)[];
    const files = Object.assign({}, ...names.map(filesOf)) as Record<string, string>;
    await onStage({ files }, async (stage) => {
      await adopted(stage, ...names.map((name) => `test/${name}`));
      const pushed = Object.fromEntries(
        names.map((name) => [appPath(name), mistakes[name].change(files[appPath(name)] ?? '')]),
      );
      for (const name of names) expect(pushed[appPath(name)], name).not.toBe(files[appPath(name)]);
      await stage.push('five to five', pushed);
      await outcome(stage, names.length, 60_000);
      const all = new Map<string, OutcomeCommit>();
      for (const one of await outcomes(stage)) all.set(/^rollback test\/(\S+)/.exec(one.subject)?.[1] ?? '', one);
      for (const name of names) {
        const { reason, event, body } = mistakes[name];
        const found = all.get(name);
        const said = found?.subject.replace(/^rollback \S+ [^:]+: /, '').replace(/…$/, '') ?? '';
        expect(said.length).toBeGreaterThan(25);
        expect(reason.startsWith(said), found?.subject).toBe(true);
        expect(found?.trailers['Failed-Check']).toBe(`readiness: ${reason}`);
        expect(await stage.run('show', '-s', '--format=%b', found?.commit ?? '')).toMatch(body);
        const ledger = parse((await stage.file(`apps/.releases/test/${name}.yaml`)) ?? '') as {
          quarantine: { reason: string }[];
        };
        expect(ledger.quarantine.map((entry) => entry.reason)).toEqual([reason]);
        const events = told(stage, name).filter((text) =>
          text.startsWith(`canary deployment ${name}.test not ready: `),
        );
        expect(events.at(-1)).toMatch(new RegExp(`: ${event.replaceAll(/[()*.]/g, '\\$&')}$`));
      }
      // The same image once more, as if something else had been wrong.
      await stage.edit('again, louder', appPath('typo'), (text) =>
        withEnv('{ name: LOUD, value: "1" }')(toTag('none')(text)),
      );
      await stage.until('it is told that the image failed before', () =>
        told(stage, 'typo').some((text) =>
          /^Image registry\.test\/podinfo:none of typo\.test failed before at [0-9a-f]{12}, with other settings: image cannot be pulled \(not found\)$/.test(
            text,
          ),
        ),
      );
      const everything = [
        ...stage.log.map((line) => JSON.stringify(line)),
        ...stage.happened.map(({ message }) => message),
      ].join('\n');
      expect(everything).not.toContain('s3cr3t-of-the-app');
    });
  });

  it('as the very first of its app is told as well, in one event with a count', async () => {
    await onStage({ files: appFiles({ tag: 'none' }) }, async (stage) => {
      const text = 'image cannot be pulled (not found): registry.test/podinfo:none';
      await stage.until(
        'it is told three times',
        () => told(stage, 'podinfo').filter((message) => message.endsWith(text)).length > 2,
      );
      expect(
        new Set(
          told(stage, 'podinfo').filter(
            (message) => message.includes('cannot be pulled') && /waiting for rollout/.test(message),
          ),
        ).size,
      ).toBe(1);
      expect(canary(stage).phase).toBe('Initializing');
      expect(object(stage, 'Deployment', 'podinfo')?.['spec']).toMatchObject({ replicas: 2 });
    });
  });
});

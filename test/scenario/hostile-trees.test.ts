import { expect, it } from 'vitest';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { commitFiles } from '../helpers/temp-repo.ts';
import { appFiles, hostOf, toTag, appPath } from './apps.ts';
import { canary, image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

const config = (name: string, data = 'a: b'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: test }\ndata: { ${data} }\n`;
const overlay = (name: string, more = ''): string => `namePrefix: ${name}-\nresources: [config.yaml]\n${more}`;
const chart = (name: string, template = config('{{ .Release.Name }}')): Record<string, string> => ({
  [`charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 0.1.0\n`,
  [`charts/${name}/templates/config.yaml`]: template,
});
const release = (name: string): string =>
  `apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: { name: ${name}, namespace: test }\nspec:\n  chart: { spec: { chart: ./charts/${name}, sourceRef: { kind: GitRepository, name: x } } }\n`;

/** Of the stage's clock: the widest class of how late a look was is as many seconds. */
const speed = 10;

/** What is done to a unit that rendered before, and the one thing that is said of it. */
interface Harm {
  readonly files: Readonly<Record<string, string>>;
  readonly modes?: Readonly<Record<string, string>>;
  readonly said: RegExp;
}
const overlays: Readonly<Record<string, Harm>> = {
  out: {
    files: { 'out/kustomization.yaml': overlay('out', 'patches: [{ path: ../../../etc/passwd }]\n') },
    said: /out\/kustomization.yaml.*not in the repository/,
  },
  linked: {
    files: {
      'linked/kustomization.yaml': overlay('linked', 'configMapGenerator: [{ name: x, files: [secret] }]\n'),
      'linked/secret': '/etc/passwd',
    },
    modes: { 'linked/secret': '120000' },
    said: /linked\/secret is a symbolic link/,
  },
  endless: {
    files: { 'endless/kustomization.yaml': overlay('endless').replace('[config.yaml]', '[config.yaml, ../endless]') },
    said: /endless\/kustomization.yaml/,
  },
  exec: {
    files: {
      'exec/kustomization.yaml': overlay('exec', 'generators: [run.yaml]\n'),
      'exec/run.yaml':
        'apiVersion: x/v1\nkind: X\nmetadata: { name: x, annotations: { config.kubernetes.io/function: "exec: { path: /bin/true }" } }\n',
    },
    said: /exec\/kustomization.yaml/,
  },
  remote: {
    files: {
      'remote/kustomization.yaml': overlay('remote').replace(
        '[config.yaml]',
        '[config.yaml, "https://git.example.test/base?ref=v1"]',
      ),
    },
    said: /remote\/kustomization.yaml/,
  },
};
const charts: Readonly<Record<string, Harm>> = {
  vast: {
    files: chart('vast', '{{ range until 1000 }}# {{ repeat 1000000 "x" }}\n{{ end }}\n'),
    said: /HelmRelease test\/vast is not rendered/,
  },
  ever: {
    files: chart('ever', '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}\n'),
    said: /HelmRelease test\/ever is not rendered/,
  },
  slow: {
    files: chart('slow', '{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}\n'),
    said: /HelmRelease test\/slow is not rendered: Helm cannot render it \(takes longer than 20 s\)/,
  },
  spy: {
    files: chart('spy', config('spy', 'home: {{ env "HOME" | quote }}')),
    said: /HelmRelease test\/spy is not rendered/,
  },
};

/** It is rendered, with nothing of what it looks for. */
const looking = chart(
  'looking',
  config('looking', 'found: {{ (lookup "v1" "ConfigMap" "test" "ever").data | toJson | quote }}'),
);

it.skipIf(helmProgram === undefined || kustomizeProgram === undefined)(
  'trees that mean harm are told one by one, take nothing away from the cluster, and stop no release of others',
  { timeout: 240_000, retry: 1 },
  async () => {
    const files = {
      ...appFiles(),
      ...Object.fromEntries(
        Object.keys(overlays).flatMap((name) => [
          [`${name}/kustomization.yaml`, overlay(name)],
          [`${name}/config.yaml`, config('it')],
        ]),
      ),
      ...Object.fromEntries(
        Object.keys(charts).flatMap((name) => [...Object.entries(chart(name)), [`${name}.yaml`, release(name)]]),
      ),
    };
    const flags = { helm: helmProgram ?? '', kustomize: kustomizeProgram ?? '', 'git-path': '' };
    await onStage({ files, flags, hosts: [hostOf()], speed }, async (stage) => {
      const made = [...Object.keys(overlays).map((name) => `${name}-it`), ...Object.keys(charts)];
      for (const name of made) await stage.until(name, () => object(stage, 'ConfigMap', name));
      await stage.untilPushed('the ledger', () => stage.file('.releases/test/podinfo.yaml'));

      // A canary is under way while all of it is rendered.
      await stage.push('a version', { [appPath()]: toTag('3.1.1')(appFiles()[appPath()] ?? '') });
      await stage.until('its first weight', () => canary(stage).weight > 0);
      const harms = [...Object.values(overlays), ...Object.values(charts)];
      const from = stage.log.length;
      await commitFiles(stage.repoPath, {
        files: {
          ...Object.assign({}, ...harms.map((harm) => harm.files)),
          ...looking,
          'looking.yaml': release('looking'),
          'beside.yaml': config('beside'),
        } as Record<string, string>,
        modes: Object.assign({}, ...harms.map(({ modes = {} }) => modes)) as Record<string, string>,
        message: 'harm, and what stands beside it',
      });
      await stage.until('what stands beside', () => object(stage, 'ConfigMap', 'beside'), 60_000);
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      // None came a second late: a look is late by the stage's clock.
      const series = await stage.agent.metrics();
      const looks = (name: string): string | undefined =>
        new RegExp(`^serin_tick_lateness_seconds_${name}\\S* (\\d+)$`, 'm').exec(series)?.[1];
      expect(Number(looks('count'))).toBeGreaterThan(4);
      expect(looks(`bucket{le="${speed}"`)).toBe(looks('count'));
      // Neither is the next one held up.
      await stage.edit('another version', appPath(), toTag('3.1.0'));
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'promoted' });
      const told = (level: string): string[] =>
        stage.log.slice(from).flatMap((line) => (line.level === level ? [line.msg] : []));
      const errors = told('error');
      for (const { said } of harms)
        expect(
          errors.filter((text) => said.test(text)),
          String(said),
        ).toHaveLength(1);
      expect(errors).toHaveLength(harms.length);
      expect(told('warn').filter((text) => text.includes('looks something up'))).toEqual([
        expect.stringMatching(
          /HelmRelease test\/looking: charts\/looking\/templates\/config.yaml looks something up in the cluster/,
        ),
      ]);
      expect(object(stage, 'ConfigMap', 'looking')?.['data']).toEqual({ found: 'null' });
      for (const name of made) expect(object(stage, 'ConfigMap', name)?.['data'], name).toEqual({ a: 'b' });
      expect(JSON.stringify(stage.log)).not.toContain('root:x:0');
    });
  },
);

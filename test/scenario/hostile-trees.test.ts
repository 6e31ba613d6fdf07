import { expect, it } from 'vitest';
import { helmProgram } from '../helpers/helm.ts';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { commitFiles } from '../helpers/temp-repo.ts';
import { appFiles, hostOf, toTag, appPath } from './apps.ts';
import { image, object } from './look.ts';
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
  spy: {
    files: chart('spy', config('spy', 'home: {{ env "HOME" | quote }}')),
    said: /HelmRelease test\/spy is not rendered/,
  },
};

it.skipIf(helmProgram === undefined || kustomizeProgram === undefined)(
  'trees that mean harm are told one by one, take nothing away from the cluster, and stop no release of others',
  { timeout: 180_000 },
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
    await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
      const made = [...Object.keys(overlays).map((name) => `${name}-it`), ...Object.keys(charts)];
      for (const name of made) await stage.until(name, () => object(stage, 'ConfigMap', name));
      await stage.untilPushed('the ledger', () => stage.file('.releases/test/podinfo.yaml'));

      const harms = [...Object.values(overlays), ...Object.values(charts)];
      const from = stage.log.length;
      await commitFiles(stage.repoPath, {
        files: {
          ...Object.assign({}, ...harms.map((harm) => harm.files)),
          [appPath()]: toTag('3.1.1')(appFiles()[appPath()] ?? ''),
          'beside.yaml': config('beside'),
        } as Record<string, string>,
        modes: Object.assign({}, ...harms.map(({ modes = {} }) => modes)) as Record<string, string>,
        message: 'harm, and a version',
      });
      await stage.until('what stands beside', () => object(stage, 'ConfigMap', 'beside'), 60_000);
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.1');
      const errors = stage.log
        .slice(from)
        .filter(({ level }) => level === 'error')
        .map(({ msg }) => msg);
      for (const { said } of harms)
        expect(
          errors.filter((text) => said.test(text)),
          String(said),
        ).toHaveLength(1);
      expect(errors).toHaveLength(harms.length);
      for (const name of made) expect(object(stage, 'ConfigMap', name)?.['data'], name).toEqual({ a: 'b' });
      expect(JSON.stringify(stage.log)).not.toContain('root:x:0');
    });
  },
);

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rendering } from '../manifest/load.ts';
import type { Capabilities } from './chart.ts';

/** What a run of kustomize gets whose kustomizations have charts. */
interface ChartAccessories {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly startsOthers: boolean;
}

export const bounds: Readonly<Record<string, string>> = { GOMAXPROCS: '1', GOMEMLIMIT: '256MiB' };
export const noCharts: ChartAccessories = { args: [], environment: {}, startsOthers: false };

/** Helm for kustomize, in a private folder. All charts stand there, so it has nothing to fetch, and could not. */
export async function chartAccessories(
  root: string,
  program: string,
  { kubeVersion, apiVersions = [] }: Partial<Capabilities>,
): Promise<ChartAccessories> {
  const temporary = join(root, 'temporary');
  await mkdir(temporary);
  // Nobody listens there.
  const nowhere = 'http://127.0.0.1:9';
  return {
    args: [
      '--enable-helm',
      '--helm-command',
      program,
      ...(kubeVersion === undefined ? [] : ['--helm-kube-version', kubeVersion]),
      ...apiVersions.flatMap((version) => ['--helm-api-versions', version]),
    ],
    environment: {
      TMPDIR: temporary,
      HELM_PLUGINS: join(root, 'none'),
      HTTP_PROXY: nowhere,
      HTTPS_PROXY: nowhere,
    },
    startsOthers: true,
  };
}

/** The first line that is another one, for people. */
export function changedLine(some: Uint8Array, others: Uint8Array): string {
  const [before, after] = [some, others].map((output) => Buffer.from(output).toString('utf8').split('\n')) as [
    string[],
    string[],
  ];
  const at = before.findIndex((line, index) => line !== after[index]);
  const kind = before.slice(0, at).findLast((line) => line.startsWith('kind: '));
  const field = /^[^:]{1,80}/.exec(before[at]?.trim() ?? '')?.[0] ?? '';
  return `${kind === undefined ? 'an object' : kind.slice('kind: '.length)}, at ${field}`;
}

/** `path`: of a template that looks something up. */
export function lookedUp(made: Rendering, path: string): Rendering {
  const problem = {
    severity: 'warning' as const,
    path,
    line: 1,
    message: 'looks something up in the cluster, and finds nothing here',
    hint: 'where it matters, give the value that is looked up in valuesInline',
  };
  return { ...made, parsed: { ...made.parsed, problems: [...made.parsed.problems, problem] } };
}

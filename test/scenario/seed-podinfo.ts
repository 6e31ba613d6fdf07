import { documentFiles } from './documents.ts';
import { canary } from './look.ts';
import type { Stage } from './stage.ts';

/** The guides' podinfo: the namespace and the load tester that they share, and their own files. */
export const podinfoFiles = (folder: string, ...names: readonly string[]): Promise<Record<string, string>> =>
  documentFiles('namespace.yaml', 'loadtester.yaml', ...names.map((name) => `${folder}/${name}.yaml`));

export const initialized = (stage: Stage): Promise<boolean> =>
  stage.until('the first version runs', () => canary(stage).phase === 'Initialized');
/** Waits for the end of a release, which is told behind its status. */
export const ended = (stage: Stage, phase: 'Succeeded' | 'Failed'): Promise<boolean> =>
  stage.until(
    `the release is ${phase}`,
    () =>
      canary(stage).phase === phase &&
      /^(Promotion completed|Canary failed)!/.test(stage.happened.at(-1)?.message ?? ''),
  );
/** What `kubectl -n test set image deployment/podinfo podinfod=…` would do, as a commit. */
export const setImage = (stage: Stage, folder: string, tag: string): Promise<string> =>
  stage.edit(`podinfo ${tag}`, `apps/${folder}/deployment.yaml`, (text) =>
    text.replace(/stefanprodan\/podinfo:\S+/, `stefanprodan/podinfo:${tag}`),
  );

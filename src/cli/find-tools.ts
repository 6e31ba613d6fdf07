import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { createHelm, type HelmOptions } from '../render/helm.ts';
import { createKustomize } from '../render/kustomize.ts';
import { createSops } from '../render/sops.ts';
import type { RenderTools } from '../render/tools.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The programs that settings name. One whose setting is empty renders nothing; one that is not there is told where it is needed.
 * `capabilities`: of the cluster; absent: there is none.
 */
export function findTools(
  values: Pick<
    Settings,
    | 'kustomize'
    | 'helm'
    | 'enable-helm'
    | 'remote-charts'
    | 'sops'
    | 'sops-age-key-file'
    | 'sops-age-secret'
    | 'sops-environment'
    | 'agent-namespace'
  >,
  environment: Environment,
  capabilities?: HelmOptions['capabilities'],
): RenderTools {
  const [kustomize, helm, sops] = [values.kustomize, values.helm, values.sops].map((setting) =>
    programOf(setting, environment),
  );
  const charts =
    values['enable-helm'] && helm !== undefined
      ? { program: helm, ...(capabilities ? { capabilities } : {}) }
      : undefined;
  const tool = kustomize === undefined ? undefined : createKustomize({ program: kustomize, helm: charts });
  return {
    ...(tool ? { kustomize: tool } : {}),
    ...(sops === undefined
      ? {}
      : {
          sops: createSops({
            program: sops,
            ...(values['sops-age-key-file'] === '' ? {} : { ageKeyFile: resolve(values['sops-age-key-file']) }),
            ...(values['sops-age-secret'] === ''
              ? {}
              : { ageSecret: { namespace: values['agent-namespace'], name: values['sops-age-secret'] } }),
            environment: variablesOf(values['sops-environment'], environment),
          }),
        }),
    ...(helm === undefined
      ? {}
      : {
          helm: createHelm({
            program: helm,
            kustomize: tool,
            fetchesCharts: values['remote-charts'],
            ...(capabilities ? { capabilities } : {}),
          }),
        }),
  };
}

/** Whether a key of what SOPS encrypted may be at hand: a file names one, or a variable that is set. */
export function hasSopsKeys(
  values: Pick<Settings, 'sops-age-key-file' | 'sops-environment'>,
  environment: Environment,
): boolean {
  const named = Object.keys(variablesOf(values['sops-environment'], environment));
  return values['sops-age-key-file'] !== '' || named.some((name) => !ofNoKey.has(name));
}

/** These are set everywhere. */
const ofNoKey = new Set(['PATH', 'HOME', 'TMPDIR']);

/** Those of the environment that a list names; `AWS_*` are all that begin so. */
function variablesOf(patterns: readonly string[], environment: Environment): Readonly<Record<string, string>> {
  const isNamed = (name: string): boolean =>
    patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value !== undefined && isNamed(name) ? [[name, value] as const] : [],
    ),
  );
}

/** A name is found in PATH, a path from where the command is run: the program itself is run elsewhere. Undefined: none is wanted. */
function programOf(setting: string, environment: Environment): string | undefined {
  if (setting === '' || setting.includes('/')) return setting === '' ? undefined : resolve(setting);
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => join(folder, setting)).find(isProgram) ?? `/nowhere/${setting}`;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

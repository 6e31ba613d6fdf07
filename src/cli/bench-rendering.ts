import { resolve } from 'node:path';
import { createSnapshots, type Snapshot } from '../agent/source/snapshots.ts';
import type { RenderingParts } from '../bench/rendered-units.ts';
import { closeTools } from '../render/tools.ts';
import type { CommandContext } from './context.ts';
import { findTools } from './find-tools.ts';
import { localSettings } from './local-settings.ts';

/** Programs that render: paths, or names in PATH. */
export interface RenderingPrograms {
  readonly kustomize: string;
  readonly helm: string;
}

/** Commits as the agent reads them, with programs that are named by paths or are in PATH. */
export async function renderingParts(
  { environment }: Pick<CommandContext, 'environment'>,
  options: RenderingPrograms,
): Promise<RenderingParts> {
  const { settings, values } = await localSettings(options);
  const pathOf = (name: string): string => (name.includes('/') ? resolve(name) : name);
  return {
    kustomize: pathOf(options.kustomize),
    helm: pathOf(options.helm),
    follow(repo) {
      const tools = findTools(values, environment);
      const snapshots = createSnapshots(repo, settings, undefined, tools);
      let last: Snapshot | undefined;
      return {
        async at(revision) {
          last = await snapshots.at(revision, last, new AbortController().signal);
          const { manifests, problems } = last.loaded;
          return { objects: manifests.length, problems: problems.map(({ path, message }) => `${path}: ${message}`) };
        },
        runs: () => (tools.kustomize?.runs ?? 0) + (tools.helm?.runs ?? 0),
        close: () => closeTools(tools),
      };
    },
  };
}

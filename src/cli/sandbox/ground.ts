import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { makeFolder } from '../../lib/folder.ts';
import { runGit } from '../../sandbox/git-command.ts';
import { type GitServer, startGitServer } from '../../sandbox/git-server.ts';
import { installCrds, startSandbox } from '../../sandbox/sandbox.ts';
import type { Sandbox } from '../../sandbox/types.ts';

/** What an agent needs around it: a Git server and an embedded cluster, with all that they write in one folder. */
export interface Ground {
  readonly folder: string;
  readonly gitServer: GitServer;
  readonly sandbox: Sandbox;
  readonly kubeconfigPath: string;
  stop(): Promise<void>;
}

export interface GroundOptions {
  readonly clock: Clock;
  /** How long a container takes to start, in the clock's milliseconds. */
  readonly podStartMs: number;
  /** See WorldOptions; absent: no. */
  readonly standIns?: boolean;
  /** Files with CustomResourceDefinitions, below the project's root. */
  readonly definitions: readonly string[];
}

export const projectRoot = new URL('../../../', import.meta.url);

/** Throws CONFIG_INVALID where git is missing or the folder cannot be written to. Nothing is left running then. */
export async function layGround(
  folder: string,
  { clock, podStartMs, standIns = false, definitions }: GroundOptions,
): Promise<Ground> {
  await runGit(['--version']).catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', 'git is not there, which serves the repository: install it', { cause });
  });
  const kubeconfigPath = join(folder, 'kubeconfig');
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) await step();
  };
  try {
    await makeFolder(folder).catch(unwritable(folder));
    const gitServer = await startGitServer({ root: join(folder, 'git') }).catch(unwritable(folder));
    stops.push(() => gitServer.stop());
    const sandbox = await startSandbox({ clock, podStartMs, standIns });
    stops.push(() => sandbox.stop());
    for (const path of definitions)
      await installCrds(sandbox.apiUrl, await readFile(new URL(path, projectRoot), 'utf8'));
    await writeFile(kubeconfigPath, sandbox.kubeconfig).catch(unwritable(folder));
    return { folder, gitServer, sandbox, kubeconfigPath, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function unwritable(folder: string): (cause: unknown) => never {
  return (cause) => {
    throw new AgentError('CONFIG_INVALID', `${folder} cannot be written to: ${messageOf(cause)}`, { cause });
  };
}

import { rm } from 'node:fs/promises';
import { dockerRegistryPath, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type PushOptions, startRegistryDouble } from '../helpers/registry-double.ts';
import { tempDir } from '../helpers/temp-repo.ts';

/** A registry that scenarios push images to. */
export interface StageRegistry {
  /** `127.0.0.1:PORT` */
  readonly registry: string;
  push(repository: string, tag: string, options?: PushOptions): Promise<string>;
  stop(): Promise<void>;
}

/** The real one of the distribution project where the machine has it, else one in memory that answers alike. */
export async function startStageRegistry(): Promise<StageRegistry> {
  if (dockerRegistryPath === undefined) {
    const server = await startRegistryDouble({});
    return { registry: server.registry, push: (...pushed) => server.push(...pushed), stop: () => server.close() };
  }
  const dir = await tempDir();
  const server = await startDockerRegistry({ dir });
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

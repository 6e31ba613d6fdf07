import { readFile } from 'node:fs/promises';
import { messageOf } from '../lib/errors.ts';
import type { CredentialHelpers } from './credential-helper.ts';
import { type DockerConfig, readDockerConfig } from './docker-config.ts';
import { Failed } from './failure.ts';
import type { Keychain } from './keychain.ts';

/** Credentials in a Docker configuration of the operator's, and those that its credential helpers know. It is read each time. */
export function createOwnKeys(file: string, helpers: CredentialHelpers): Keychain {
  let last: DockerConfig | undefined;
  const read = async (): Promise<DockerConfig> => {
    const failed = (problem: string): Failed =>
      new Failed('sign-in', `--registry-config-file cannot be read: ${problem}`);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw failed(messageOf(error));
    });
    const config = readDockerConfig(text);
    if ('problem' in config) throw failed(config.problem);
    last = config;
    return config;
  };
  return {
    async lookUp(registry, repository, signal) {
      const config = await read();
      const helper = config.helperFor(registry);
      // As docker: a helper goes before what stands in the file.
      const known = helper === undefined ? undefined : await helpers.lookUp(helper, registry, signal);
      return known ?? config.lookUp(registry, repository);
    },
    refused(registry) {
      const helper = last?.helperFor(registry);
      if (helper !== undefined) helpers.refused(helper, registry);
    },
  };
}

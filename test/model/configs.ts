import { configChecksum } from '../../src/canary/configs.ts';
import type { ConfigKey, ConfigSeen } from '../../src/canary/types.ts';

const configKey: ConfigKey = 'configmap/app-config';
const configs: readonly ConfigSeen[] = Array.from({ length: 4 }, (_, text) => ({
  checksum: configChecksum({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'app-config' },
    data: { text: `${text}` },
  }),
  tracked: true,
}));
const owned = { owners: ['uid-of-canary'], canaries: ['uid-of-canary'] };
const seen = Array.from({ length: 16 }, (_, index) => {
  const [config, copy] = [configs[index >> 2], configs[index & 3]];
  const found = new Map<ConfigKey, ConfigSeen>();
  if (index >> 2 > 0 && config) found.set(configKey, config);
  if ((index & 3) > 0 && copy) found.set(`${configKey}-primary`, { ...copy, ...owned });
  return found;
});

export function checksumOf(text: number): string | undefined {
  return configs[text]?.checksum;
}

/** A ConfigMap of the target and the primary's copy, by their texts; 0: there is none. */
export function seenConfigs(config: number, copy: number): ReadonlyMap<ConfigKey, ConfigSeen> {
  return seen[config * 4 + copy] ?? new Map();
}

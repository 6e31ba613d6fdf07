import { describe, expect, it } from 'vitest';
import { isCopied } from '../../../src/agent/effects/copy-config.ts';
import type { ConfigKey, ConfigSeen } from '../../../src/canary/types.ts';

const canary = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'web', namespace: 'test', uid: 'ours' },
};
const key: ConfigKey = 'configmap/settings';
const isThere = (copy: ConfigSeen | undefined, labels: readonly string[] = []): boolean => {
  const configs = new Map<ConfigKey, ConfigSeen>([[key, { checksum: 'a', tracked: true }]]);
  if (copy) configs.set('configmap/settings-primary', copy);
  return isCopied({ key, checksum: 'a' }, { canary, configs }, labels);
};

describe('a copy of a config', () => {
  it('is not made again where it stands as it was judged, and goes with this Canary', () => {
    expect(isThere({ checksum: 'a', tracked: true, owners: ['others', 'ours'] })).toBe(true);
  });

  it.each([
    ['there is none', undefined],
    ['it has another content', { checksum: 'b', tracked: true, owners: ['ours'] }],
    ['it would go with another Canary', { checksum: 'a', tracked: true, owners: ['others'] }],
    ['nobody owns it', { checksum: 'a', tracked: true }],
  ] as const)('is made where %s', (_, copy) => {
    expect(isThere(copy)).toBe(false);
  });

  it('is looked at where labels are copied, too', () => {
    expect(isThere({ checksum: 'a', tracked: true, owners: ['ours'] }, ['team'])).toBe(false);
  });
});

import { type ClusterKey, keyedBy } from '../../src/agent/views/cluster-key.ts';
import { createKeyedDigest } from '../../src/lib/keyed-digest.ts';

/** What checksums are made with, known from the beginning. */
export function aKey(key = 'a key that only tests have'): ClusterKey {
  return {
    known: Promise.resolve(),
    salt: () => Promise.resolve('salt'),
    trouble: undefined,
    ...keyedBy(createKeyedDigest(key)),
  };
}

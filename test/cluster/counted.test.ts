import { describe, expect, it } from 'vitest';
import { countedAs } from '../../src/cluster/counted-as.ts';

describe('a request', () => {
  it.each([
    ['GET', '/api/v1/namespaces/test/configmaps/web', 'get configmaps'],
    ['GET', '/api/v1/namespaces/test/configmaps?limit=500', 'list configmaps'],
    ['GET', '/apis/apps/v1/deployments?watch=1&resourceVersion=7', 'watch deployments'],
    ['GET', '/api/v1/namespaces/test', 'get namespaces'],
    ['GET', '/api/v1/namespaces', 'list namespaces'],
    ['POST', '/api/v1/namespaces/test/events?fieldManager=flagger', 'create events'],
    ['PATCH', '/apis/flagger.app/v1beta1/namespaces/test/canaries/web/status', 'patch canaries/status'],
    ['PATCH', '/apis/apps/v1/namespaces/test/deployments/web?fieldManager=serin', 'patch deployments'],
    ['DELETE', '/api/v1/namespaces/test/services/web', 'delete services'],
    ['GET', '/version', 'get other'],
    ['GET', '/apis/apps/v1', 'get other'],
  ] as const)('%s %s is counted as %s', (method, path, expected) => {
    const { verb, resource } = countedAs({ method, path });
    expect(`${verb} ${resource}`).toBe(expected);
  });
});

import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readTenants } from '../../src/config/tenants.ts';
import type { AgentError } from '../../src/lib/errors.ts';

const read = (text: string, path = ''): ReturnType<typeof readTenants> => readTenants(parse(text), path);
function problemsOf(text: string, path = ''): string[] {
  try {
    read(text, path);
  } catch (error) {
    expect((error as AgentError).code).toBe('CONFIG_INVALID');
    return (error as AgentError).message.split('\n');
  }
  throw new Error('it was accepted');
}

describe('tenants in the settings', () => {
  it('are read as they are written', () => {
    const text = `
- name: team-a
  folder: ./tenants/a/
  namespaces: [team-a, team-a-*]
  kinds: [Deployment.apps, ConfigMap, '*.flagger.app', Secret.]
  denied-kinds: [Ingress]
  refers-to: [monitoring]
  service-account: team-a/serin
- { name: admin, folder: ., namespaces: ['*'], kinds: ['*'] }
`;
    expect(read(text)).toEqual([
      {
        name: 'team-a',
        folder: 'tenants/a',
        namespaces: ['team-a', 'team-a-*'],
        kinds: ['Deployment.apps', 'ConfigMap', '*.flagger.app', 'Secret.'],
        deniedKinds: ['Ingress'],
        refersTo: ['monitoring'],
        serviceAccount: { namespace: 'team-a', name: 'serin' },
      },
      { name: 'admin', folder: '', namespaces: ['*'], kinds: ['*'] },
    ]);
  });

  it.each([
    ['[]', 'tenants: write a list of tenants'],
    ['null', 'tenants: write a list of tenants'],
    ['{name: a}', 'tenants: write a list of tenants'],
    ['[a]', 'tenants[0]: write a map with name, folder'],
    [
      '[{name: a, folder: a, namespace: [a]}]',
      'tenants[0]: "namespace" is no field of a tenant; did you mean namespaces?',
    ],
    ['[{name: a, folder: a, namespaces: [a], serviceaccount: a/b}]', 'did you mean service-account?'],
    ['[{name: a, folder: a, namespaces: []}]', 'tenants[0].namespaces: write a list of names'],
    ['[{name: a, folder: a, namespaces: a}]', 'tenants[0].namespaces: write a list of names'],
    ['[{name: a, folder: a, namespaces: [A_b]}]', '"A_b" is none of names'],
    ['[{name: a, folder: a, namespaces: [a], kinds: [deployment]}]', '"deployment" is none of kinds'],
    ['[{name: a, folder: ../a, namespaces: [a]}]', 'leads out of the repository'],
    ['[{name: a, folder: "t/*", namespaces: [a]}]', 'a folder of its own, without *'],
    ['[{name: a, namespaces: [a]}]', 'tenants[0].folder: name a folder'],
    ['[{name: a, folder: a, namespaces: [a], service-account: serin}]', 'write NAMESPACE/NAME'],
    ['[{name: a, folder: a, namespaces: [a]}, {name: a, folder: b, namespaces: [b]}]', 'name: "a" is there twice'],
    ['[{name: a, folder: a, namespaces: [a]}, {name: b, folder: a/, namespaces: [b]}]', 'belongs to another tenant'],
  ])('that are %s are refused', (text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
  });

  it('stand below what is synced, or around it', () => {
    expect(read('[{name: a, folder: ., namespaces: [a]}]', 'clusters/x')).toHaveLength(1);
    expect(read('[{name: a, folder: clusters/x/a, namespaces: [a]}]', 'clusters/x')).toHaveLength(1);
    expect(problemsOf('[{name: a, folder: clusters/xy, namespaces: [a]}]', 'clusters/x')).toEqual([
      'tenants[0].folder: "clusters/xy" is not below --git-path, which is clusters/x',
    ]);
  });

  it('are told with all that is wrong at once', () => {
    expect(problemsOf('[{name: A, folder: 1, namespaces: [], kinds: x}]').length).toBeGreaterThan(3);
  });
});

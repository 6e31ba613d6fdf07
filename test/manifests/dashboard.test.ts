import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

const root = join(import.meta.dirname, '../..');
interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
  readonly spec?: Readonly<Record<string, unknown>>;
}
const documents = parseAllDocuments(readFileSync(join(root, 'manifests/dashboard.yaml'), 'utf8')).map(
  (document) => document.toJS() as Document,
);
const of = (kind: string, name: string) => documents.find((one) => one.kind === kind && one.metadata.name === name);

describe('the manifests of the dashboard', () => {
  it('let the agent ask the API server for what it asks, and for nothing else', () => {
    const granted = (of('ClusterRole', 'serin-dashboard')?.rules ?? []).map(({ apiGroups, resources, verbs }) => [
      ...apiGroups,
      ...resources,
      ...verbs,
    ]);
    expect(granted).toEqual([
      ['authentication.k8s.io', 'tokenreviews', 'create'],
      ['authorization.k8s.io', 'subjectaccessreviews', 'create'],
    ]);
    const asked = readFileSync(join(root, 'src/agent/dashboard/reviews.ts'), 'utf8');
    for (const kind of ['TokenReview', 'SubjectAccessReview']) expect(asked).toContain(`'${kind}'`);
    expect(asked.match(/cluster\.\w+\(/g)).toEqual(['cluster.create(']);
  });

  it('bind no role to people', () => {
    const bindings = documents.filter(({ kind }) => kind.endsWith('Binding'));
    expect(bindings.map(({ metadata }) => metadata.name)).toEqual(['serin-dashboard']);
    for (const name of ['serin-see-canaries', 'serin-operate-canaries']) {
      const rules = of('ClusterRole', name)?.rules ?? [];
      expect(rules.flatMap(({ resources }) => resources)).toEqual(['canaries']);
    }
    expect(of('ClusterRole', 'serin-see-canaries')?.rules?.flatMap(({ verbs }) => verbs)).toEqual([
      'get',
      'list',
      'watch',
    ]);
  });

  it('open one port, in the policy as in the Service', () => {
    expect(of('Service', 'serin-dashboard')?.spec?.['ports']).toEqual([{ name: 'http', port: 80, targetPort: 9000 }]);
    expect(of('NetworkPolicy', 'serin-dashboard')?.spec?.['ingress']).toEqual([
      { ports: [{ protocol: 'TCP', port: 9000 }] },
    ]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const folder = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const kindsOf = (path: string): readonly unknown[] =>
  parseAllDocuments(readFileSync(path, 'utf8')).map((document) => (document.toJS() as { kind?: unknown } | null)?.kind);
const resourcesIn = (name: string): readonly string[] => {
  const text = readFileSync(`${folder(name)}/kustomization.yaml`, 'utf8');
  return (parse(text) as { resources: string[] }).resources;
};

describe('kubectl delete -k', () => {
  it.each(['manifests', 'manifests/namespaced'])(
    'of %s takes no definition along, and so no Canary and no primary',
    (name) => {
      const kinds = resourcesIn(name).flatMap((path) => kindsOf(`${folder(name)}/${path}`));
      expect(kinds).toContain('Deployment');
      expect(kinds).not.toContain('CustomResourceDefinition');
    },
  );

  it('leaves what the README has applied by a command of its own', () => {
    const readme = readFileSync(folder('README.md'), 'utf8');
    expect(readme).toContain(
      'kubectl apply --server-side -f manifests/crds && kubectl apply --server-side -k manifests',
    );
    const kinds = readdirSync(folder('manifests/crds')).flatMap((file) =>
      kindsOf(`${folder('manifests/crds')}/${file}`),
    );
    expect(new Set(kinds)).toEqual(new Set(['CustomResourceDefinition']));
  });
});

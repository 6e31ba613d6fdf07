import { expect, it } from 'vitest';
import { appsOf } from '../../src/canary/app.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import { canaryText, deploymentText } from '../release/a-config-repo.ts';

/** The content of an app whose container has these further lines. */
function contentWith(lines: string, pod = ''): string | undefined {
  const deployment = deploymentText({ name: 'shop' }).replace('\n    spec:\n', `\n${pod}    spec:\n`) + lines;
  const { manifests } = parseManifests('shop.yaml', `${deployment}---\n${canaryText({ name: 'shop' })}`);
  return appsOf(manifests, 'test')[0]?.content;
}

it.each([
  ['a field', '        securityContext:\n'],
  ['a list', '        env: null\n        args: ~\n'],
  ['a field of a field', '        livenessProbe: {httpGet: null}\n', '        livenessProbe: {}\n'],
])('%s that is null in a pod template is no new content, as it is none for the API server', (_, lines, same = '') => {
  expect(contentWith(lines)).toBe(contentWith(same));
});

it.each([
  ['an annotation', '', '      annotations:\n        a:\n'],
  ['a limit', '        resources: {limits: {cpu: }}\n', ''],
])('%s that is null is content: it is empty text or zero', (_, lines, pod) => {
  expect(contentWith(lines, pod)).not.toBe(contentWith(''));
});

it('the content of an app is the same as ever, whatever its configs are called: ledgers in Git name it', () => {
  const manifest = (text: string) => parseManifests('a.json', text).manifests;
  const pod =
    '{"containers":[{"name":"a","image":"i","envFrom":[{"secretRef":{"name":"s"}},{"configMapRef":{"name":"c"}}]}]}';
  const all = [
    '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"__proto__":"eA==","10":"MQ==","2":"Mg==","a":"YQ=="},"stringData":{"a":"b","é":"ü"}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"b":"1","a":"2"},"binaryData":{"z":"AA=="}}',
    `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"template":{"spec":${pod}}}}`,
    '{"apiVersion":"flagger.app/v1beta1","kind":"Canary","metadata":{"name":"d"},"spec":{"targetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}}',
  ].flatMap(manifest);
  expect(appsOf(all, 'test')[0]?.configs).toHaveLength(2);
  expect(appsOf(all, 'test')[0]?.content).toBe('8b2488e7217996ad');
});

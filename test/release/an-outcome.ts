import { asRevision, type Revision } from '../../src/git/repo.ts';
import { appIn } from '../../src/release/rendered.ts';
import { releaseId } from '../../src/release/release-id.ts';
import { createRender } from '../../src/release/trees.ts';
import type { Outcome } from '../../src/release/types.ts';
import { said } from '../helpers/said.ts';

export const aRevision = (digit: string): Revision => asRevision(digit.repeat(40));

export function anOutcome(change: Partial<Outcome> = {}): Outcome {
  return {
    app: { namespace: 'test', name: 'podinfo' },
    releaseId: '0123456789abcdef0123',
    verdict: 'promoted',
    startedAtMs: Date.parse('2026-03-01T10:00:00Z'),
    atMs: Date.parse('2026-03-01T10:05:10Z'),
    state: {
      revision: aRevision('a'),
      images: { podinfod: 'stefanprodan/podinfo:3.1.1' },
      templateHash: '5d4f86c9b7',
      configs: { 'configmap/podinfo-config': '0011223344556677' },
      content: 'fedcba9876543210',
    },
    base: aRevision('b'),
    evidence: [
      {
        atMs: Date.parse('2026-03-01T10:01:00Z'),
        canaryWeight: 5,
        iterations: 0,
        checks: [{ name: 'request-success-rate', passed: true, found: said('100% >= 99%') }],
      },
      {
        atMs: Date.parse('2026-03-01T10:02:00Z'),
        canaryWeight: 10,
        iterations: 0,
        checks: [{ name: 'request-success-rate', passed: false, found: said('53.42% < 99%') }],
      },
    ],
    supersedes: [],
    ...change,
  };
}

const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });

/** The outcome of an app of test/release/a-config-repo.ts that was judged at a commit with these files. */
export function outcomeOf(
  name: string,
  verdict: Outcome['verdict'],
  judged: { readonly revision: string; readonly files: ReadonlyMap<string, string> },
  base: string,
  change: Partial<Outcome> = {},
): Outcome {
  const app = { namespace: 'test', name };
  const revision = asRevision(judged.revision);
  const content = appIn(render(judged.files), app)?.content ?? '';
  const image = /^ +image: (\S+)/m.exec(judged.files.get(`${name}/deployment.yaml`) ?? '')?.[1] ?? '';
  return anOutcome({
    app,
    verdict,
    releaseId: releaseId(app, content, revision),
    base: asRevision(base),
    state: { revision, images: { [`${name}d`]: image }, templateHash: '5d4f86c9b7', configs: {}, content },
    ...(verdict === 'rolled-back'
      ? { failedCheck: { name: 'request-success-rate', found: said('success rate 53.42% < 99%') } }
      : {}),
    ...change,
  });
}

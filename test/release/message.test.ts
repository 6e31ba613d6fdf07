import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adoptionMessage, type MessageContext, outcomeMessage, subjectOf, tagOf } from '../../src/release/message.ts';
import type { Outcome } from '../../src/release/types.ts';
import { runGit } from '../helpers/temp-repo.ts';
import { anOutcome } from './an-outcome.ts';

const context = (change: Partial<MessageContext> = {}): MessageContext => ({
  cluster: 'prod-eu',
  agentVersion: '0.1.0',
  number: 3,
  previousImages: { podinfod: 'stefanprodan/podinfo:3.1.0' },
  previousConfigs: { 'configmap/podinfo-config': '0011223344556677' },
  change: 'only-recorded',
  ...change,
});
const failedCheck = { name: 'request-success-rate', reason: 'success rate 53.42% < 99%' };
const rolledBack = (change: Partial<Outcome> = {}): Outcome =>
  anOutcome({ verdict: 'rolled-back', failedCheck, ...change });
const reverted = context({ number: undefined, change: 'reverted' });

/** What git's own parser reads. */
async function parsed(message: string): Promise<readonly (readonly [string, string])[]> {
  const text = await runGit(['interpret-trailers', '--parse'], message);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)] as const);
}

describe('subjects', () => {
  it.each([
    ['a new image', anOutcome(), context(), 'promote test/podinfo 3.1.1'],
    ['a failed one', rolledBack(), reverted, 'rollback test/podinfo 3.1.1: success rate 53.42% < 99%'],
    [
      'a failed one that somebody replaced',
      rolledBack(),
      context({ number: undefined }),
      'quarantine test/podinfo 3.1.1: success rate 53.42% < 99%',
    ],
    [
      'a new ConfigMap only',
      anOutcome(),
      context({ previousImages: anOutcome().state.images, previousConfigs: {} }),
      'promote test/podinfo (ConfigMap podinfo-config)',
    ],
    [
      'another template only',
      anOutcome(),
      context({ previousImages: anOutcome().state.images }),
      'promote test/podinfo 3.1.1 (pod template)',
    ],
    [
      'several containers',
      anOutcome({ state: { ...anOutcome().state, images: { a: 'x:1', b: 'y:2', c: 'z:3' } } }),
      context({ previousImages: { a: 'x:1', b: 'y:1' } }),
      'promote test/podinfo b 2, c 3',
    ],
  ] as const)('name %s', (_, outcome, settings, subject) => {
    expect(subjectOf(outcome, settings)).toBe(subject);
  });

  it('name one app or count several at first sight', () => {
    const other = anOutcome({ app: { namespace: 'test', name: 'cart' }, releaseId: 'ff' });
    expect(adoptionMessage([anOutcome()], context()).split('\n')[0]).toBe('adopt test/podinfo');
    expect(adoptionMessage([anOutcome(), other], context()).split('\n')[0]).toBe(
      'adopt 2 apps: test/podinfo, test/cart',
    );
  });

  it.each([
    ['repo/name:1.2', '1.2'],
    ['host:5000/name', 'host:5000/name'],
    ['name:1.2@sha256:0123456789abcdef', '1.2'],
    ['name@sha256:0123456789abcdef', '0123456789ab'],
  ])('read the version of %s', (image, version) => {
    expect(tagOf(image)).toBe(version);
  });
});

describe('the message of an outcome', () => {
  it('shows the evidence and says what changed', () => {
    const message = outcomeMessage(rolledBack({ supersedes: ['eeee'] }), reverted);
    expect(message).toMatchInlineSnapshot(`
      "rollback test/podinfo 3.1.1: success rate 53.42% < 99%

      Judged at aaaaaaaaaaaa on prod-eu, 2026-03-01 10:00:00 to 10:05:10 UTC (310 s).
      Failed: success rate 53.42% < 99%
      What the release changed is reverted; the version is in quarantine.
      It superseded an earlier push that was not judged to the end.

        podinfod: stefanprodan/podinfo:3.1.0 -> stefanprodan/podinfo:3.1.1 (upgrade)

        time      weight  result  check                 value
        10:01:00  5%      passed  request-success-rate  100% >= 99%
        10:02:00  10%     FAILED  request-success-rate  53.42% < 99%

      Release: test/podinfo
      Release-Id: 0123456789abcdef0123
      Verdict: rolled-back
      Images: podinfod=stefanprodan/podinfo:3.1.1
      Previous-Images: podinfod=stefanprodan/podinfo:3.1.0
      Revision: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      Failed-Check: request-success-rate: success rate 53.42% < 99%
      Reverts: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
      Supersedes: eeee
      Cluster: prod-eu
      Agent: serin/0.1.0
      "
    `);
  });

  it('says where a version goes down', () => {
    expect(outcomeMessage(anOutcome(), context())).toContain('3.1.0 -> stefanprodan/podinfo:3.1.1 (upgrade)');
    expect(
      outcomeMessage(anOutcome(), context({ previousImages: { podinfod: 'stefanprodan/podinfo:3.2.0' } })),
    ).toContain('(downgrade)');
  });

  it('keeps a long analysis short', () => {
    const [tick] = anOutcome().evidence;
    const evidence = Array.from(
      { length: 2000 },
      () => tick ?? { atMs: 0, canaryWeight: 0, iterations: 0, checks: [] },
    );
    const message = outcomeMessage(anOutcome({ evidence }), context());
    expect(message.split('\n').length).toBeLessThan(90);
    expect(message).toContain('1940 more');
  });

  it('has trailers that git reads, whatever people and vendors wrote', async () => {
    const nasty = [
      'a\nVerdict: promoted',
      '---\nfoo',
      '\n\n# ------------------------ >8 ------------------------\n',
      '#comment',
      ': x',
      'é\u2028ü\u0000',
      '\u{1F4A9}'.repeat(300),
      ' \t',
      '-----BEGIN PGP SIGNATURE-----',
      'x'.repeat(5000),
      '\r\nReverts: all',
      '',
    ];
    const texts = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'binary', maxLength: 40 }));
    const cases = fc.sample(fc.tuple(texts, texts, texts, texts, texts), { numRuns: 12, seed: 7 });
    for (const [reason, check, image, evidence, cluster] of [
      ...cases,
      ...nasty.map((text) => [text, text, text, text, text] as const),
    ]) {
      const outcome = rolledBack({
        failedCheck: { name: check, reason },
        state: { ...anOutcome().state, images: { [check]: image } },
        evidence: [
          { atMs: 0, canaryWeight: 5, iterations: 0, checks: [{ name: check, passed: false, text: evidence }] },
        ],
        supersedes: ['aa', 'bb'],
      });
      const trailers = await parsed(outcomeMessage(outcome, { ...reverted, cluster }));
      const keys = trailers.map(([key]) => key);
      expect(trailers).toContainEqual(['Verdict', 'rolled-back']);
      expect(trailers).toContainEqual(['Release', 'test/podinfo']);
      expect(trailers).toContainEqual(['Release-Id', outcome.releaseId]);
      expect(trailers).toContainEqual(['Reverts', outcome.state.revision]);
      expect(trailers).toContainEqual(['Agent', 'serin/0.1.0']);
      expect(keys.filter((key) => key === 'Verdict' || key === 'Reverts')).toHaveLength(2);
      const known = [
        'Release',
        'Release-Id',
        'Verdict',
        'Images',
        'Previous-Images',
        'Revision',
        'Failed-Check',
        'Reverts',
        'Supersedes',
        'Cluster',
        'Agent',
      ];
      expect(keys.filter((key) => !known.includes(key))).toEqual([]);
    }
  });
});

import { hostileText, unseenIn } from '../helpers/hostile-text.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adoptionMessage, type MessageContext, outcomeMessage } from '../../src/release/message.ts';
import { subjectOf, tagOf } from '../../src/release/subject.ts';
import type { Outcome } from '../../src/release/types.ts';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { anyCharacter } from '../helpers/any-character.ts';
import { runGit } from '../helpers/temp-repo.ts';
import { anOutcome } from './an-outcome.ts';
import { said as aFinding } from '../helpers/said.ts';

const context = (change: Partial<MessageContext> = {}): MessageContext => ({
  cluster: 'prod-eu',
  agentVersion: '0.1.0',
  number: 3,
  previousImages: { podinfod: 'stefanprodan/podinfo:3.1.0' },
  previousConfigs: { 'configmap/podinfo-config': '0011223344556677' },
  change: 'only-recorded',
  ...change,
});
const failedCheck = { name: 'request-success-rate', found: aFinding('success rate 53.42% < 99%') };
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

describe('a subject', () => {
  const long = 'a-namespace-with-a-long-name/an-application-with-an-even-longer-name';
  const [namespace = '', name = ''] = long.split('/');
  const tag = `main-20261129.235959-${'0123456789abcdef'.repeat(2)}-amd64`;

  it.each([
    [
      'a long reason',
      rolledBack({
        failedCheck: { name: 'x', found: aFinding('check acceptance failed: the shop does not sell what it has') },
      }),
      'rollback test/podinfo 3.1.1: check acceptance failed: the shop does not…',
    ],
    [
      'a long tag',
      anOutcome({ state: { ...anOutcome().state, images: { podinfod: `registry.example/podinfo:${tag}` } } }),
      'promote test/podinfo main-20261129.235959-0123…def0123456789abcdef-amd64',
    ],
    [
      'a long name',
      rolledBack({ app: { namespace, name } }),
      'rollback a-namespace-wit…en-longer-name 3.1.1: success rate 53.42% < 99%',
    ],
    [
      'everything long',
      rolledBack({
        app: { namespace, name },
        state: { ...anOutcome().state, images: { podinfod: `registry.example/podinfo:${tag}` } },
        failedCheck: { name: 'x', found: aFinding('canary not ready: deployment "x" exceeded its progress deadline') },
      }),
      'rollback a-name…-name main-20261…def-amd64: canary not ready: deploymen…',
    ],
  ] as const)('with %s keeps what tells most of each part', (_, outcome, subject) => {
    const found = subjectOf(outcome, outcome.verdict === 'promoted' ? context() : reverted);
    expect(found).toBe(subject);
  });

  it('has 72 letters at most, whatever the parts are, and none of them is cut in half', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '-', '.', '%', 'é', '👩‍👩‍👧', '한', 'ǐ', '\u202E'),
      maxLength: 90,
    });
    fc.assert(
      fc.property(text, text, text, text, fc.boolean(), (one, two, image, reason, isPromoted) => {
        const app = { namespace: one, name: two };
        const state = { ...anOutcome().state, images: { app: image } };
        const subject = isPromoted
          ? subjectOf(anOutcome({ app, state }), context())
          : subjectOf(rolledBack({ app, state, failedCheck: { name: 'x', found: aFinding(reason) } }), reverted);
        const letters = Array.from(new Intl.Segmenter().segment(subject));
        expect(letters.length).toBeLessThanOrEqual(72);
        expect(subject).not.toMatch(/[\u202E\n]|\u200D…|👩…/u);
        expect(subject).toMatch(isPromoted ? /^promote / : /^rollback /);
      }),
    );
  });

  it.each([
    ['an env variable', ['env LOG_LEVEL'], 'promote test/podinfo 3.1.1 (env LOG_LEVEL)'],
    ['several things', ['env LOG_LEVEL', 'resources', 'args'], 'promote test/podinfo 3.1.1 (env LOG_LEVEL and 2 more)'],
    ['nothing that is known', undefined, 'promote test/podinfo 3.1.1 (pod template)'],
  ])('with the same image names %s', (_, changes, subject) => {
    const outcome = anOutcome(changes ? { changes } : {});
    const settings = context({ previousImages: outcome.state.images, previousConfigs: outcome.state.configs });
    expect(subjectOf(outcome, settings)).toBe(subject);
  });

  it.each([
    ['quotes/quotesbackend', '2 (env FAIL_EN…)'],
    ['shopping/quotesbackend', '2 (env FAIL_…)'],
    ['a-longer-team/quotesbackend', '2'],
  ])('shortens what has changed before it shortens the name %s, which people search for', (app, version) => {
    const [namespace = '', name = ''] = app.split('/');
    const state = { ...anOutcome().state, images: { quotes: 'quotesbackend:2' } };
    const failedCheck = { name: 'x', found: aFinding('success rate 0.00% < 99%') };
    const outcome = rolledBack({ app: { namespace, name }, state, failedCheck, changes: ['env FAIL_ENABLED'] });
    const settings = { ...reverted, previousImages: state.images, previousConfigs: state.configs };
    expect(subjectOf(outcome, settings)).toBe(`rollback ${app} ${version}: success rate 0.00% < 99%`);
  });

  it.each([
    [
      'another digest of the same tag',
      'app:1@sha256:0123456789abcdef00',
      'app:1@sha256:fedcba9876543210ff',
      '1@0123456789ab',
    ],
    ['another repository', 'mirror.example/app:1', 'app:1', 'mirror.example/app:1'],
  ])('tells %s', (_, image, before, version) => {
    const outcome = anOutcome({ state: { ...anOutcome().state, images: { app: image } } });
    expect(subjectOf(outcome, context({ previousImages: { app: before } }))).toBe(`promote test/podinfo ${version}`);
  });

  it('says one version of several containers once, and counts many', () => {
    const images = (...tags: readonly string[]) =>
      Object.fromEntries(tags.map((one, index) => [`c${index}`, `r/c${index}:${one}`]));
    const of = (found: Readonly<Record<string, string>>) =>
      subjectOf(anOutcome({ state: { ...anOutcome().state, images: found } }), context({ previousImages: images() }));
    expect(of(images('2', '2', '2'))).toBe('promote test/podinfo 2');
    expect(of(images('1', '2', '3', '4', '5'))).toBe('promote test/podinfo c0 1, c1 2, c2 3 and 2 more');
  });
});

describe('the body of an outcome', () => {
  const revision = anOutcome().state.revision;
  const earlier = asRevision('c'.repeat(40));
  const said = new Map([
    [revision, { subject: 'podinfo 3.1.1, at last', author: 'Jane Doe' }],
    [earlier, { subject: 'podinfo 3.1.1-rc1\nVerdict: promoted', author: 'Verdict: promoted\u2028' }],
  ]);

  const pushedIn = ({ releaseId, supersededAt = {} }: Outcome, ...pushed: Revision[]) =>
    new Map([[releaseId, { pushed, supersededAt, named: pushed }]]);

  it('names what was pushed, by whom, and what it superseded', async () => {
    const outcome = anOutcome({ supersedes: ['aa', 'bb'], supersededAt: { bb: earlier } });
    const message = outcomeMessage(outcome, context({ said, attributions: pushedIn(outcome, revision) }));
    expect(message).toContain('\nPushed: "podinfo 3.1.1, at last" by Jane Doe.\n');
    expect(message).toContain(
      'It superseded 2 earlier pushes that were not judged to the end:\n  cccccccccccc "podinfo 3.1.1-rc1 Verdict: promoted" by Verdict: promoted\n',
    );
    expect((await parsed(message)).filter(([key]) => key === 'Verdict')).toEqual([['Verdict', 'promoted']]);
  });

  it('names several commits that brought it one below the other, and nobody where that is not known', async () => {
    const outcome = anOutcome({ verdict: 'rolled-back', failedCheck: { name: 'x', found: aFinding('y') } });
    const attributions = pushedIn(outcome, earlier, revision);
    const message = outcomeMessage(outcome, { ...context({ said, attributions }), change: 'reverted' });
    expect(message).toContain(
      '\nPushed in 2 commits:\n  cccccccccccc "podinfo 3.1.1-rc1 Verdict: promoted" by Verdict: promoted\n  aaaaaaaaaaaa "podinfo 3.1.1, at last" by Jane Doe\n',
    );
    expect((await parsed(message)).filter(([key]) => key === 'Reverts')).toEqual([
      ['Reverts', earlier],
      ['Reverts', revision],
    ]);
    expect(outcomeMessage(outcome, context({ said }))).not.toContain('Pushed');
  });

  it.each([
    ['a/b', 'Judged by an A/B test at aaaaaaaaaaaa'],
    ['blue/green', 'Judged by blue/green at aaaaaaaaaaaa'],
    ['mirrored blue/green', 'Judged by blue/green with mirrored traffic at aaaaaaaaaaaa'],
    ['none', 'Promoted without analysis at aaaaaaaaaaaa'],
    ['canary', 'Judged at aaaaaaaaaaaa'],
  ] as const)('says that it was %s', (strategy, text) => {
    expect(outcomeMessage(anOutcome({ strategy }), context())).toContain(text);
  });

  it('names what has changed, never with a value', () => {
    const changes = ['env LOG_LEVEL', 'ConfigMap web (colour)'];
    expect(outcomeMessage(anOutcome({ changes }), context())).toContain(
      '\n  changed: env LOG_LEVEL\n  changed: ConfigMap web (colour)\n',
    );
  });

  it('folds equal lines, of each check for itself', () => {
    const look = (minute: number, rate: string, canaryWeight: number, iterations = 0) => ({
      atMs: Date.parse(`2026-03-01T10:0${minute}:00Z`),
      canaryWeight,
      iterations,
      checks: [
        { name: 'load', passed: true, found: aFinding('check load passed') },
        { name: 'rate', passed: rate === '100%', found: aFinding(rate) },
      ],
    });
    const evidence = [look(1, '100%', 5), look(2, '100%', 5), look(3, '50%', 5), look(4, '100%', 10)];
    expect(
      outcomeMessage(anOutcome({ evidence }), context())
        .split('\n')
        .filter((line) => /^ {2}(?:time|10:)/.test(line)),
    ).toEqual([
      '  time      weight  result  check  value',
      '  10:01:00  5%      passed  load   check load passed (3 times, until 10:03:00)',
      '  10:01:00  5%      passed  rate   100% (2 times, until 10:02:00)',
      '  10:03:00  5%      FAILED  rate   50%',
      '  10:04:00  10%     passed  load   check load passed',
      '  10:04:00  10%     passed  rate   100%',
    ]);
    const rounds = [1, 2, 3].map((round) => look(round, '100%', 0, round));
    expect(outcomeMessage(anOutcome({ evidence: rounds }), context())).toMatch(
      /^ {2}time {6}round {2}.*\n.* 1\.-3\. .*\n.* 1\.-3\. /m,
    );
  });

  it('has a trailer for configs, without what a Secret could be guessed from', async () => {
    const configs = { 'configmap/web': '0011', 'secret/db': 'ffee' };
    const message = outcomeMessage(anOutcome({ state: { ...anOutcome().state, configs } }), context());
    expect(await parsed(message)).toContainEqual(['Configs', 'configmap/web=0011, secret/db']);
    expect(message).not.toContain('ffee');
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
      Configs: configmap/podinfo-config=0011223344556677
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
    const evidence = Array.from({ length: 2000 }, (_, index) => ({
      ...(tick ?? { atMs: 0, canaryWeight: 0, iterations: 0 }),
      checks: [{ name: 'request-success-rate', passed: true, found: aFinding(`${index / 100}%`) }],
    }));
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
    const texts = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: anyCharacter, maxLength: 40 }));
    const cases = fc.sample(fc.tuple(texts, texts, texts, texts, texts), { numRuns: 12, seed: 7 });
    for (const [reason, check, image, evidence, cluster] of [
      ...cases,
      ...nasty.map((text) => [text, text, text, text, text] as const),
    ]) {
      const outcome = rolledBack({
        failedCheck: { name: check, found: aFinding(reason) },
        state: { ...anOutcome().state, images: { [check]: image } },
        evidence: [
          {
            atMs: 0,
            canaryWeight: 5,
            iterations: 0,
            checks: [{ name: check, passed: false, found: aFinding(evidence) }],
          },
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
        'Configs',
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

  it('holds nothing that no reader sees, and no trailer or line that others wrote, whatever they put into it', () => {
    const texts = fc.record({
      name: hostileText,
      reason: hostileText,
      text: hostileText,
      image: hostileText,
      cluster: hostileText,
    });
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom('promoted', 'rolled-back', 'withdrawn'),
        ({ name, reason, text, image, cluster }, verdict) => {
          const { state, evidence } = anOutcome();
          const outcome = anOutcome({
            verdict,
            state: { ...state, images: { [name]: image }, configs: { [`configmap/${name}`]: text } },
            failedCheck: { name, found: aFinding(reason, [text, reason]) },
            evidence: evidence.map((one) => ({ ...one, checks: [{ name, passed: false, found: aFinding(text) }] })),
            changes: [text, name],
          });
          const said = new Map([[state.revision, { subject: text, author: name }]]);
          const message = outcomeMessage(outcome, {
            cluster,
            agentVersion: '1',
            said,
            number: 1,
            change: 'reverted',
            previousImages: { [name]: text },
            previousConfigs: {},
          });
          expect(unseenIn(message)).toEqual([]);
          expect(message.split('\n').filter((line) => line.startsWith('Verdict: '))).toEqual([`Verdict: ${verdict}`]);
          expect(message.split('\n')[0]?.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});

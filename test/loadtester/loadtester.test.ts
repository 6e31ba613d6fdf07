import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { understand } from '../../src/loadtester/commands.ts';
import { parseHey } from '../../src/loadtester/hey.ts';
import { parseScript } from '../../src/loadtester/shell.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { aDeployment, aService, aWorld, isRolledOut, type TestWorld } from '../sandbox/world/a-world.ts';

describe('a command line', () => {
  it.each([
    [
      "curl -sd 'test' http://a/token | grep token",
      [
        [
          ['curl', '-sd', 'test', 'http://a/token'],
          ['grep', 'token'],
        ],
      ],
    ],
    ['a "b c" d\\ e && f', [[['a', 'b c', 'd e']], [['f']]]],
    [`x "a \\" b" ''`, [[['x', 'a " b', '']]]],
    ['a \\\n  b', [[['a', 'b']]]],
  ])('%j is split as a shell would', (text, pipelines) => {
    expect(parseScript(text)).toEqual({ pipelines });
  });

  it.each([
    'rm -rf /',
    'curl http://a/ > /etc/passwd',
    'curl http://a/ ; reboot',
    'curl $(whoami)',
    'curl "`id`"',
    'curl http://$HOST/',
    'hey http://a/ &',
    'curl -o file http://a/',
    'curl -K config http://a/',
    "curl 'http://a/",
    'curl http://a/ || true',
    'hey -z soon http://a/',
    'hey -n 5',
    'grep x file',
    '| grep x',
    '',
  ])('%j is refused and said why', (text) => {
    expect(understand(text)).toEqual({ refused: expect.stringContaining(`cannot run "${text}": `) });
  });

  it('is understood or refused, but never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => ['function', 'object'].includes(typeof understand(text))));
  });

  it('for hey gives its load', () => {
    expect(
      parseHey(['-z', '1m', '-q', '10', '-c', '2', '-host', 'app', '-H', 'X-A: b:c', 'http://a.test:9898/x']),
    ).toMatchObject({
      durationMs: 60_000,
      rate: 10,
      workers: 2,
      method: 'GET',
      headers: { host: 'app', 'x-a': 'b:c' },
      url: new URL('http://a.test:9898/x'),
    });
    expect(parseHey(['http://a/'])).toMatchObject({ requests: 200, workers: 50 });
  });
});

describe('the load tester', () => {
  let world: TestWorld;
  const post = (path: string, metadata?: Record<string, string>, name = 'podinfo') =>
    world.ask(
      `http://flagger-loadtester${path}`,
      JSON.stringify({ name, namespace: 'test', phase: 'Progressing', metadata }),
    );
  const bash = (cmd: string) => post('/', { type: 'bash', cmd, returnCmdOutput: 'true' });
  const hits = () => world.seen.filter(({ pod }) => pod.labels['app'] === 'podinfo').length;

  beforeAll(async () => {
    world = aWorld({ clock: fastClock(10) });
    const container = {
      args: ['-port=8080', '-log-level=info', '-timeout=1h'],
      ports: [{ name: 'http', containerPort: 8080 }],
    };
    const image = 'ghcr.io/fluxcd/flagger-loadtester:0.30.0';
    world.store.create(aDeployment({ name: 'flagger-loadtester', image, container }));
    world.store.create(aService('flagger-loadtester', 80));
    world.store.create(aDeployment());
    world.store.create(aService('podinfo'));
    for (const name of ['podinfo', 'flagger-loadtester'])
      await world.until(name, () => isRolledOut(world.deployment(name)));
  });
  afterEach(() => {
    world.seen.length = 0;
  });
  afterAll(() => world.stop());

  it('approves, halts, and keeps gates by canary', async () => {
    expect(await post('/gate/approve')).toMatchObject({ status: 200, text: 'OK' });
    expect(await post('/gate/halt')).toMatchObject({ status: 403, text: 'Forbidden' });
    expect(await post('/gate/check')).toMatchObject({ status: 403, text: 'Forbidden' });
    expect(await post('/gate/open')).toMatchObject({ status: 202, text: '' });
    expect(await post('/gate/check')).toMatchObject({ status: 200, text: 'Approved' });
    expect(await post('/gate/check', undefined, 'other')).toMatchObject({ status: 403 });
    expect(await post('/rollback/check')).toMatchObject({ status: 403 });
    await post('/rollback/open');
    expect(await post('/rollback/check')).toMatchObject({ status: 200, text: 'Approved' });
    await post('/gate/close');
    expect(await post('/gate/check')).toMatchObject({ status: 403 });
    expect(await world.ask('http://flagger-loadtester/gate/check', 'not json')).toMatchObject({
      status: 400,
      text: '',
    });
  });

  it('runs the acceptance test of the tutorials', async () => {
    expect(await bash("curl -sd 'test' http://podinfo.test:9898/token | grep token")).toMatchObject({ status: 200 });
    expect(await bash("curl -sd 'test' http://podinfo:9898/token | grep -q nothing")).toEqual({
      status: 500,
      text: "command curl -sd 'test' http://podinfo:9898/token | grep -q nothing failed: : exit status 1",
      version: null,
    });
    expect(await bash('curl -sf http://podinfo:9898/status/500')).toMatchObject({ status: 500 });
    expect((await bash('curl -sSf http://podinfo:9898/status/500')).text).toContain('curl: (22)');
    expect((await bash('curl http://nowhere.test/')).text).toContain('curl: (6) Could not resolve host: nowhere.test');
    expect((await bash('curl -s -o /dev/null -w "%{http_code}" http://podinfo:9898/')).text).toBe('200');
  });

  it('sends the load that hey is asked for and does not send it twice', async () => {
    const cmd = 'hey -z 8s -q 5 -c 2 http://podinfo.test:9898/';
    expect(await post('/', { cmd })).toMatchObject({ status: 202 });
    expect(await post('/', { cmd, type: 'cmd' })).toMatchObject({ status: 202 });
    const pod = world.pods({ app: 'flagger-loadtester' })[0]?.metadata.name ?? '';
    await world.until('the end', () => world.podLog(pod)?.includes(`command finished ${cmd}`));
    expect(world.podLog(pod)).toContain(`command skipped ${cmd} is already running`);
    expect(hits()).toBeGreaterThan(30);
    expect(hits()).toBeLessThanOrEqual(82);
    expect(world.seen.find(({ pod: { labels } }) => labels['app'] === 'podinfo')).toMatchObject({
      pod: { namespace: 'test', name: expect.stringMatching(/^podinfo-/), labels: { app: 'podinfo' } },
      workload: 'podinfo',
      method: 'GET',
      path: '/',
      status: 200,
      durationMs: expect.any(Number),
    });
  });

  it('sends the same to canary and primary where metadata says paired, and tells of both', async () => {
    for (const role of ['canary', 'primary']) {
      world.store.create(aDeployment({ name: `podinfo-${role}` }));
      world.store.create(aService(`podinfo-${role}`));
      await world.until(role, () => isRolledOut(world.deployment(`podinfo-${role}`)));
    }
    const of = (role: string) => world.seen.filter(({ workload }) => workload === `podinfo-${role}`).length;
    const cmd = 'hey -n 12 -c 3 http://podinfo-canary.test:9898/status/500';
    expect(await post('/', { type: 'bash', cmd, paired: 'true' })).toMatchObject({ status: 200 });
    expect([of('canary'), of('primary')]).toEqual([12, 12]);
    const { text } = await post('/', { type: 'bash', cmd, paired: 'true', returnCmdOutput: 'true' });
    expect(text).toMatch(
      /^canary: podinfo-canary\.test:9898[^]*\[500\]\t12 responses[^]*primary: podinfo-primary\.test:9898/,
    );
  });

  it('sends as many requests as hey -n says', async () => {
    expect((await bash('hey -n 20 -c 4 http://podinfo:9898/status/418')).text).toContain('[418]\t20 responses');
    expect(hits()).toBe(20);
  });

  it('says what it cannot do', async () => {
    expect(await post('/')).toMatchObject({ status: 400, text: 'metadata not found in payload' });
    expect(await post('/', { type: 'cmd' })).toMatchObject({ status: 400, text: 'cmd not found in metadata' });
    expect(await post('/', { type: 'poem' })).toMatchObject({ status: 400, text: 'unknown task type poem' });
    expect(await post('/', { type: 'helm', cmd: 'test' })).toMatchObject({ status: 400 });
    expect((await post('/', { cmd: 'rm -rf /' })).text).toContain('cannot run "rm -rf /": "rm" is not there');
  });
});

import { describe, expect, it } from 'vitest';
import { cookiesAt } from '../../src/canary/affinity.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { parseStatus, renderStatus } from '../../src/canary/status.ts';
import type { Answer, CanaryStatus, Effect, Question, SessionCookies } from '../../src/canary/types.ts';
import { AgentError } from '../../src/lib/errors.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { istio } from '../../src/routers/istio.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import type { LiveObjects } from '../../src/routers/router.ts';
import { aRouteContext } from '../helpers/a-route-context.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

type Members = Readonly<Record<string, unknown>>;

const sessionAffinity = { cookieName: 'sid-c', primaryCookieName: 'sid-p', maxAge: 600 };
const canarySpec = (affinity: Members = sessionAffinity): Members => ({
  provider: 'istio',
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
  service: { port: 80 },
  analysis: { interval: '10s', threshold: 3, stepWeight: 20, maxWeight: 40, sessionAffinity: affinity },
});

interface Written {
  readonly weight: number;
  readonly cookies: SessionCookies | undefined;
}

/** A release in the small world; what was written to the routes, and the VirtualService itself. */
function play(spec = canarySpec()): {
  world: ModelCluster;
  rollout: Rollout;
  written: Written[];
  routes: () => LiveObjects;
} {
  const world = createModelCluster({ canarySpec: spec });
  const written: Written[] = [];
  let live: LiveObjects = [undefined, undefined, undefined];
  const onEffect = (effect: Effect): void => {
    if (effect.kind === 'set-route') {
      written.push({ weight: effect.split.canaryWeight, cookies: effect.cookies });
      put(effect.split, effect.cookies);
    }
    if (effect.kind === 'reconcile-route') put('keep', undefined);
  };
  const put = (split: Parameters<typeof planRoutes>[3], cookies: SessionCookies | undefined): void => {
    const context = { ...aRouteContext(specOf(world)), ...(cookies ? { cookies } : {}) };
    const plan = planRoutes(istio, context, live, split);
    live = live.map((object, at) => {
      const name = istio.refs(context)[at]?.name;
      return plan.find((each) => each.object.metadata.name === name)?.object ?? object;
    });
  };
  const answer = (question: Question): Answer =>
    question.kind === 'metric' ? { kind: 'value', value: 100 } : { kind: 'passed' };
  const rollout = createRollout({ world, answer, onEffect });
  rollout.run(world.nowMs + 20_000);
  return { world, rollout, written, routes: () => live };
}
const specOf = (world: ModelCluster) => parseCanary(world.canary, { provider: 'istio', minIntervalMs: 10_000 });
const release = ({ world, rollout }: ReturnType<typeof play>, image: string): void => {
  world.setImage(image);
  rollout.run(world.nowMs + 120_000);
};

describe('session affinity', () => {
  it('gives users of the canary a cookie with its first share, and takes it back when all are home [MI04]', () => {
    const story = play();
    release(story, 'example.org/app:2.0.0');
    const { rollout, written } = story;
    const [first] = written;
    const current = first?.cookies?.current;
    expect(current).toMatch(/^sid-c=[a-zA-Z]{10}$/);
    expect(first?.cookies?.primary).toMatch(/^sid-p=[a-zA-Z]{10}$/);
    expect(written.map(({ weight, cookies }) => [weight, cookies?.current, cookies?.previous])).toEqual([
      [20, current, undefined],
      [40, current, undefined],
      [0, undefined, current],
    ]);
    expect(rollout.status.phase).toBe('Succeeded');
    const { sessionAffinityCookie, previousSessionAffinityCookie } = rollout.status;
    expect([sessionAffinityCookie, previousSessionAffinityCookie]).toEqual([undefined, current]);
    const shown = rollout.ticks.map(({ status }) => status.sessionAffinityCookie);
    expect(new Set(shown)).toEqual(new Set([undefined, current]));
  });

  it('gives the users of another release, and of another Canary, another cookie', () => {
    const story = play();
    release(story, 'example.org/app:2.0.0');
    release(story, 'example.org/app:3.0.0');
    release(story, 'example.org/app:2.0.0');
    const cookies = new Set(story.written.flatMap(({ cookies: each }) => each?.current ?? []));
    expect(cookies.size).toBe(3);
    const status = parseStatus(story.world.canary);
    const spec = specOf(story.world);
    const of = (uid: string) => cookiesAt({ spec, status, uid }, 10)?.current;
    expect(of('a')).not.toBe(of('b'));
    expect(of('a')).toBe(of('a'));
  });

  it('keeps the cookie of the primary through steps and releases [R34]', () => {
    const story = play();
    release(story, 'example.org/app:2.0.0');
    release(story, 'example.org/app:3.0.0');
    expect(new Set(story.written.map(({ cookies }) => cookies?.primary)).size).toBe(1);
    expect(story.rollout.status.primarySessionAffinityCookie).toBe(story.written[0]?.cookies?.primary);
  });

  it('finds the same cookie again when the status that named it got lost after the route was written [R33]', () => {
    const undisturbed = play();
    release(undisturbed, 'example.org/app:2.0.0');
    const story = play();
    const { world, rollout, written, routes } = story;
    world.setImage('example.org/app:2.0.0');
    let lost = 0;
    let before = world.canary['status'];
    for (let second = 0; second < 240; second += 1) {
      const count = written.length;
      rollout.run(world.nowMs + 1_000);
      if (written.length > count && lost < 3) {
        // The route stands, the status does not: the API server refused it, or the agent died in between.
        world.canary = { ...world.canary, status: before };
        lost += 1;
        const context = aRouteContext(specOf(world));
        const weight = istio.read(context, routes())?.canaryWeight ?? 0;
        const cookies = cookiesAt(
          { spec: context.spec, status: parseStatus(world.canary), uid: 'uid-of-canary' },
          weight,
        );
        // Nobody repairs sticky rules away that the status does not know of.
        expect(planRoutes(istio, { ...context, ...(cookies ? { cookies } : {}) }, routes(), 'keep')).toEqual([]);
      }
      before = world.canary['status'];
    }
    expect(lost).toBe(3);
    const distinct = (list: readonly Written[]) => [...new Set(list.map((entry) => JSON.stringify(entry)))];
    expect(distinct(written)).toEqual(distinct(undisturbed.written));
    expect(rollout.status).toMatchObject({ phase: 'Succeeded' });
    expect(rollout.status.previousSessionAffinityCookie).toBe(written[0]?.cookies?.current);
  });

  it('takes a cookie back that no status ever named, when a newer version comes in between [R33]', () => {
    const story = play();
    const { world, rollout, written } = story;
    world.setImage('example.org/app:2.0.0');
    let before = world.canary['status'];
    while (written.length === 0) {
      before = world.canary['status'];
      rollout.run(world.nowMs + 1_000);
    }
    world.canary = { ...world.canary, status: before };
    world.setImage('example.org/app:3.0.0');
    rollout.run(world.nowMs + 1_000);
    expect(written.at(-1)).toEqual({
      weight: 0,
      cookies: { previous: written[0]?.cookies?.current, primary: written[0]?.cookies?.primary },
    });
  });

  it('follows the Canary when cookies get other names under way', () => {
    const status: CanaryStatus = {
      ...parseStatus({ apiVersion: '', kind: 'Canary', metadata: { name: 'a' } }),
      lastAppliedSpec: 'abc',
      sessionAffinityCookie: 'old=AbCdEfGhIj',
      primarySessionAffinityCookie: 'old-p=AbCdEfGhIj',
    };
    const spec = specOf(play().world);
    const cookies = cookiesAt({ spec, status, uid: 'u' }, 20);
    expect(cookies?.current).toMatch(/^sid-c=/);
    expect(cookies?.primary).toMatch(/^sid-p=/);
    expect(cookies?.previous).toBe('old=AbCdEfGhIj');
    expect(
      cookiesAt({ spec: specOf(play(canarySpec({ cookieName: 'sid-c' })).world), status, uid: 'u' }, 20),
    ).not.toHaveProperty('primary');
  });

  it('is nothing where the Canary does not ask for it', () => {
    const { sessionAffinity: _none, ...analysis } = canarySpec()['analysis'] as Members;
    const story = play({ ...canarySpec(), analysis });
    release(story, 'example.org/app:2.0.0');
    expect(story.written.map(({ cookies }) => cookies)).toEqual([undefined, undefined, undefined]);
    expect(Object.keys(story.rollout.status).filter((key) => key.includes('Cookie'))).toEqual([]);
  });

  it('is written to the status, read from it and taken out of it', () => {
    const story = play();
    const base = parseStatus(story.world.canary);
    const away: CanaryStatus = { ...base, sessionAffinityCookie: 'a=b', primarySessionAffinityCookie: 'c=d' };
    const home: CanaryStatus = { ...base, previousSessionAffinityCookie: 'a=b', primarySessionAffinityCookie: 'c=d' };
    expect(renderStatus(away)).toMatchObject({ sessionAffinityCookie: 'a=b', primarySessionAffinityCookie: 'c=d' });
    expect(renderStatus(home, away)).toMatchObject({
      sessionAffinityCookie: null,
      previousSessionAffinityCookie: 'a=b',
      primarySessionAffinityCookie: 'c=d',
    });
    const canary: KubeObject = { ...story.world.canary, status: renderStatus(away) };
    expect(parseStatus(canary)).toEqual(away);
  });
});

describe('spec.analysis.sessionAffinity', () => {
  const parsed = (affinity: unknown, analysis: Members = {}) => {
    const spec = canarySpec();
    const object = {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'app', namespace: 'demo' },
      spec: { ...spec, analysis: { ...(spec['analysis'] as Members), sessionAffinity: affinity, ...analysis } },
    };
    return parseCanary(object, { provider: 'istio', minIntervalMs: 10_000 }).analysis.sessionAffinity;
  };
  const refusal = (affinity: unknown): string => {
    try {
      parsed(affinity);
      return '';
    } catch (error) {
      return error instanceof AgentError ? error.message : String(error);
    }
  };

  it('lasts a day where nothing else is said', () => {
    expect(parsed({ cookieName: 'c' })).toEqual({
      cookieName: 'c',
      maxAgeSeconds: 86_400,
      httpOnly: false,
      secure: false,
      partitioned: false,
    });
    expect(parsed({ ...sessionAffinity, domain: 'a.example', path: '/x', sameSite: 'Lax', secure: true })).toEqual({
      cookieName: 'sid-c',
      primaryCookieName: 'sid-p',
      maxAgeSeconds: 600,
      domain: 'a.example',
      path: '/x',
      sameSite: 'Lax',
      httpOnly: false,
      secure: true,
      partitioned: false,
    });
  });

  it('needs two names for two cookies [CV10]', () => {
    expect(refusal({ cookieName: 'c', primaryCookieName: 'c' })).toContain(
      "can't use the same cookie name for both primary and cookie name; please update them to be different",
    );
  });

  it.each<[unknown, string]>([
    [{}, 'cookieName: is required'],
    [{ cookieName: 'a b' }, '"a b" is no name for a cookie'],
    [{ cookieName: 'c', domain: 'a; Secure' }, 'domain: must not contain a semicolon'],
    [{ cookieName: 'c', path: '/\r\nx: y' }, 'path: must not contain a semicolon or control characters'],
    [{ cookieName: 'c', sameSite: 'strict' }, 'did you mean "Strict"?'],
    [{ cookieName: 'c', maxAge: 1.5 }, 'maxAge: must be a whole number'],
  ])('refuses %j', (affinity, message) => {
    expect(refusal(affinity)).toContain(message);
  });

  it('has a meaning only where users are moved step by step', () => {
    expect(parsed(sessionAffinity, { stepWeight: 0, iterations: 3 })).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Line, nextOf, type Room, type Waiting } from '../../src/cluster/line.ts';
import { type Place, placeOf, priorities } from '../../src/cluster/priority.ts';

interface Numbered extends Waiting {
  readonly number: number;
}

const waiting: fc.Arbitrary<Omit<Numbered, 'number'>> = fc
  .record({
    priority: fc.constantFrom(...priorities),
    app: fc.integer({ min: 0, max: 7 }),
    namespace: fc.constantFrom('a', 'b'),
    sinceMs: fc.integer({ min: 0, max: 60_000 }),
  })
  .map(({ app, ...rest }) => ({
    ...rest,
    flow: `${rest.priority === 'event' ? 'event ' : ''}${rest.namespace}/app-${app}`,
  }));
const crowd = fc
  .array(waiting, { minLength: 1, maxLength: 60 })
  .map((all) => all.map((one, number) => ({ ...one, number })));

const lineOf = (all: readonly Numbered[]): Map<string, Numbered[]> => {
  const line = new Map<string, Numbered[]>();
  for (const one of all) line.set(one.flow, [...(line.get(one.flow) ?? []), one]);
  return line;
};
const ample: Room = { free: 16, limit: 16, events: 0, held: () => 0 };

/** Begins one after the other; each is answered before the next one begins. `joins` come in between, one a turn. */
function served(all: readonly Numbered[], joins: (turn: number) => Numbered | undefined = () => undefined): Numbered[] {
  const line = lineOf(all);
  const begun: Numbered[] = [];
  for (let turn = 0; line.size > 0 && turn < 5_000; turn += 1) {
    const next = nextOf(line, turn, ample) as Numbered | undefined;
    if (!next) break;
    begun.push(next);
    const left = (line.get(next.flow) ?? []).filter((other) => other !== next);
    if (left.length === 0) line.delete(next.flow);
    else line.set(next.flow, left);
    const more = joins(turn);
    if (more) line.set(more.flow, [...(line.get(more.flow) ?? []), more]);
  }
  return begun;
}

describe('requests that wait for the API server', () => {
  it('are all begun, each once, those of one app in the order in which they came', () => {
    fc.assert(
      fc.property(crowd, (all) => {
        const begun = served(all);
        expect(begun.map(({ number }) => number).toSorted((a, b) => a - b)).toEqual(all.map(({ number }) => number));
        for (const flow of new Set(all.map((one) => one.flow))) {
          const numbers = begun.filter((one) => one.flow === flow).map(({ number }) => number);
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it('go by priority, and of equals the one that has waited longest, but for the open turns', () => {
    fc.assert(
      fc.property(crowd, fc.integer({ min: 0, max: 63 }), (all, turn) => {
        const single = [...lineOf(all).values()].flatMap(([one]) => (one ? [one] : []));
        const next = nextOf(lineOf(single), turn, ample);
        const rank = ({ priority }: Waiting): number => priorities.indexOf(priority);
        const others = single.filter(({ priority }) => priority !== 'event');
        const events = single.filter(({ priority }) => priority === 'event');
        const oldest = (list: readonly Waiting[]): number => Math.min(...list.map(({ sinceMs }) => sinceMs));
        if (turn % 16 === 15 && events.length > 0) expect(next?.priority).toBe('event');
        else if (others.length === 0) expect(next?.sinceMs).toBe(oldest(events));
        else if (turn % 4 === 3) expect(next?.sinceMs).toBe(oldest(others));
        else {
          const best = Math.min(...others.map(rank));
          expect(next && rank(next)).toBe(best);
          expect(next?.sinceMs).toBe(oldest(others.filter((one) => rank(one) === best)));
        }
      }),
    );
  });

  it('are never starved, however much that is more urgent comes without end', () => {
    fc.assert(
      fc.property(crowd, (all) => {
        let number = all.length;
        const more = (turn: number): Numbered => ({
          number: (number += 1),
          priority: 'traffic',
          namespace: 'c',
          flow: `c/new-${turn}`,
          sinceMs: 60_001 + turn,
        });
        const begun = served(all, (turn) => (turn < 2_000 ? more(turn) : undefined));
        const events = all.filter(({ priority }) => priority === 'event').length;
        const last = (isMeant: (one: Numbered) => boolean): number =>
          begun.findLastIndex((one) => one.number < all.length && isMeant(one));
        expect(last(({ priority }) => priority !== 'event')).toBeLessThanOrEqual(4 * (all.length - events) + 4);
        expect(last(({ priority }) => priority === 'event')).toBeLessThanOrEqual(16 * events + 16);
      }),
    );
  });

  it('begin never more than may be under way, of events a quarter at most', () => {
    fc.assert(
      fc.property(
        crowd,
        fc.integer({ min: 1, max: 64 }),
        fc.nat(64),
        fc.nat(64),
        fc.nat(100),
        (all, limit, free, events, turn) => {
          const next = nextOf(lineOf(all), turn, { free, limit, events, held: () => 0 });
          if (free === 0) expect(next).toBeUndefined();
          if (next?.priority === 'event') expect(events).toBeLessThan(Math.max(1, limit / 4));
        },
      ),
    );
  });

  it('of a namespace whose requests hang leave room for others', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.integer({ min: 1, max: 6 }), (limit, hostile) => {
        const underWay = new Map<string, number>();
        const count = (): number => [...underWay.values()].reduce((sum, one) => sum + one, 0);
        const room = (): Room => ({ free: limit - count(), limit, events: 0, held: (name) => underWay.get(name) ?? 0 });
        // None of them is ever answered.
        const line: Line = new Map(
          Array.from({ length: hostile * 100 }, (_, number) => {
            const namespace = `hostile-${number % hostile}`;
            const flow = `${namespace}/${number}`;
            return [flow, [{ priority: 'traffic' as const, namespace, flow, sinceMs: number }]];
          }),
        );
        const left = new Map(line);
        for (let turn = 0; ; turn += 1) {
          const next = nextOf(left, turn, room());
          if (!next) break;
          left.delete(next.flow);
          underWay.set(next.namespace, (underWay.get(next.namespace) ?? 0) + 1);
        }
        if (limit > 3 * hostile) expect(count()).toBeLessThan(limit);
        const good = { priority: 'workload' as const, namespace: 'good', flow: 'good/app', sinceMs: 1e9 };
        if (count() < limit) expect(nextOf(new Map([...left, [good.flow, [good]]]), 0, room())).toBe(good);
      }),
    );
  });
});

describe('the place of a request', () => {
  const traefik = '/apis/traefik.io/v1alpha1/namespaces/test/traefikservices';
  const canaries = '/apis/flagger.app/v1beta1/namespaces/test/canaries';
  it.each<['GET' | 'POST' | 'PATCH' | 'DELETE', string, Place['priority'], string]>([
    ['PATCH', `${traefik}/web?fieldManager=serin-canary`, 'traffic', 'test/web'],
    ['POST', `${traefik}?fieldManager=serin-canary`, 'traffic', 'test/made'],
    ['PATCH', '/api/v1/namespaces/test/services/web-canary?fieldManager=serin-canary', 'traffic', 'test/web'],
    ['PATCH', '/apis/example.test/v1/namespaces/test/newroutes/web?fieldManager=serin-canary', 'traffic', 'test/web'],
    ['PATCH', '/api/v1/namespaces/test/services/web?fieldManager=serin-service', 'traffic', 'test/web'],
    ['PATCH', '/api/v1/namespaces/test/services/web?fieldManager=serin&force=true', 'workload', 'test/web'],
    ['PATCH', `${canaries}/web/status?fieldManager=serin-canary`, 'status', 'test/web'],
    ['PATCH', `${canaries}/web?fieldManager=serin-release`, 'status', 'test/web'],
    ['PATCH', '/api/v1/namespaces/serin/configmaps/notes?fieldManager=serin-release', 'status', 'serin/notes'],
    ['PATCH', `${canaries}/web?fieldManager=serin`, 'workload', 'test/web'],
    [
      'PATCH',
      '/apis/apps/v1/namespaces/test/deployments/web-primary?fieldManager=serin-canary',
      'workload',
      'test/web',
    ],
    ['GET', `${traefik}/web`, 'status', 'test/web'],
    ['GET', '/api/v1/namespaces/test/secrets/token', 'status', 'test/token'],
    ['GET', `${traefik}?limit=500`, 'workload', 'test/'],
    ['GET', '/api/v1/namespaces/test/pods/web-1/log?container=web', 'workload', 'test/web-1'],
    ['DELETE', '/api/v1/namespaces/test/services/web', 'workload', 'test/web'],
    ['POST', '/api/v1/namespaces/test/events?fieldManager=flagger', 'event', 'event test/made'],
    ['PATCH', '/api/v1/namespaces/test/events/web.1?fieldManager=flagger', 'event', 'event test/web.1'],
    ['GET', '/version', 'status', '/'],
    ['PATCH', '/api/v1/namespaces/test?fieldManager=serin', 'workload', '/test'],
    ['PATCH', '/apis/rbac.authorization.k8s.io/v1/clusterroles/web?fieldManager=serin', 'workload', '/web'],
  ])('%s %s is %s of %s', (method, path, priority, flow) => {
    const body = method === 'POST' ? { metadata: { name: 'made-primary' } } : undefined;
    expect(placeOf({ method, path, body })).toMatchObject({ priority, flow });
  });
});

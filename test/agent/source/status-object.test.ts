import { describe, expect, it } from 'vitest';
import {
  createStatusObject,
  newsOf,
  notesOf,
  renderStatus,
  type SourceStatus,
} from '../../../src/agent/source/status-object.ts';
import type { CanaryEvent } from '../../../src/canary/types.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import type { KubeObject, Problem } from '../../../src/manifest/types.ts';
import { eventually } from '../../helpers/eventually.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const error = (path: string, message = 'is wrong'): Problem => ({ severity: 'error', path, line: 3, message });
const well: SourceStatus = {
  branch: 'main',
  path: 'apps',
  revision: 'b'.repeat(40),
  synced: 'a'.repeat(40),
  syncedAtMs: Date.UTC(2026, 10, 29, 12),
  errors: [],
  held: undefined,
  trouble: undefined,
  pendingOutcomes: 2,
  blocked: [],
};

describe('the ConfigMap serin-status', () => {
  it('says what is followed, what is applied since when, and what waits', () => {
    expect(renderStatus(well, 'serin')).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'serin-status', namespace: 'serin' },
      data: {
        source: 'main:/apps',
        revision: well.revision,
        synced: well.synced,
        'synced-at': '2026-11-29T12:00:00Z',
        failed: '0',
        'pending-outcomes': '2',
      },
    });
  });

  it('says what is wrong by file and line, in bounds', () => {
    const errors = Array.from({ length: 120 }, (_, n) => error(`f${n}.yaml`, `${'x'.repeat(2_000)}\nmore`));
    const trouble = `Error: oops\n    at ${'y'.repeat(10_000)}`;
    const { data } = renderStatus({ ...well, errors, trouble, held: 'z'.repeat(10_000) }, 'serin');
    const lines = (data['problems'] ?? '').split('\n');
    expect(lines).toHaveLength(51);
    expect(lines[0]).toMatch(/^f0\.yaml:3 x/);
    expect(lines.at(-1)).toBe('and 70 more');
    expect(data).toMatchObject({ failed: '120', trouble: 'Error: oops' });
    expect(JSON.stringify(data).length).toBeLessThan(30_000);
  });

  it('says what to do about it, where that is known', () => {
    const errors = [{ ...error('a.yaml', `is forbidden${'!'.repeat(900)}`), hint: 'grant it' }, error('b.yaml')];
    const [first, second] = (renderStatus({ ...well, errors }, 'serin').data['problems'] ?? '').split('\n');
    expect(first).toMatch(/^a\.yaml:3 is forbidden!+…; grant it$/);
    expect(second).toBe('b.yaml:3 is wrong');
    const [news] = newsOf(well, { ...well, errors: [{ ...error('a.yaml'), hint: 'grant it' }] });
    expect(news?.message).toContain('a.yaml:3 is wrong; grant it');
  });

  it('says of outcomes that wait what stands in their way, in bounds', () => {
    const blocked = [
      'Promotion of a.test: the Git server\nrefuses the push',
      ...Array<string>(60).fill('x'.repeat(9_000)),
    ];
    const lines = (renderStatus({ ...well, blocked }, 'serin').data['blocked-outcomes'] ?? '').split('\n');
    expect(lines[0]).toBe('Promotion of a.test: the Git server refuses the push');
    expect(lines).toHaveLength(51);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(410);
  });
});

describe('what /readyz says behind its OK', () => {
  const where = 'kubectl -n serin get configmap serin-status -o yaml';
  it.each<readonly [string, Partial<SourceStatus>, readonly string[]]>([
    ['nothing, while all is well', {}, []],
    [
      'where the cluster is not as Git says',
      { errors: [error('a.yaml'), error('b.yaml')] },
      [`the cluster is not as Git says in 2 places (a.yaml:3 is wrong): ${where}`],
    ],
    [
      'what stands in the way of an outcome',
      { blocked: ['Rollback of a.test: test/b uses\nwhat would be taken back'] },
      [
        `1 outcome is not in Git, and something stands in the way (Rollback of a.test: test/b uses what would be taken back): ${where}`,
      ],
    ],
    ['what the guard holds', { held: 'nothing is deleted' }, ['nothing is deleted']],
  ])('%s', (_, status, notes) => {
    expect(notesOf({ ...well, ...status }, 'serin')).toEqual(notes);
  });

  it('in bounds, whatever others say', () => {
    const long = 'x'.repeat(9_000);
    for (const note of notesOf(
      { ...well, errors: [error('a.yaml', long)], blocked: Array<string>(99).fill(long) },
      'serin',
    ))
      expect(note.length).toBeLessThan(600);
  });
});

describe('what events tell of it', () => {
  const bad = { ...well, errors: [error('a.yaml')] };
  it.each<readonly [string, SourceStatus | undefined, SourceStatus, readonly string[]]>([
    ['nothing, while all is well', well, { ...well, synced: 'c' }, []],
    ['what is wrong', well, bad, ['Warning The cluster is not as Git says in 1 place: a.yaml:3 is wrong']],
    [
      'what was wrong before the agent started',
      undefined,
      bad,
      ['Warning The cluster is not as Git says in 1 place: a.yaml:3 is wrong'],
    ],
    ['nothing, while the same is wrong', bad, { ...bad, synced: 'c' }, []],
    ['that it is right again', bad, well, ['Normal The cluster is as Git says again']],
    ['what the guard holds', well, { ...well, held: 'too much' }, ['Warning too much']],
    ['that the sync fails', well, { ...well, trouble: 'down\nat x' }, ['Warning The sync fails: down']],
    ['that it works again', { ...well, trouble: 'down' }, well, ['Normal The sync works again']],
  ])('%s', (_what, before, now, expected) => {
    expect(newsOf(before, now).map(({ type, message }) => `${type} ${message}`)).toEqual(expected);
  });
});

describe('writing it', () => {
  it('is done where it says something new, not more often than every ten seconds, and again where it failed', async () => {
    const clock = manualClock();
    const stored: Record<string, string>[] = [];
    const told: string[] = [];
    const down = { is: false };
    const cluster = {
      apply: async (object: KubeObject & { data: Record<string, string> }) => {
        if (down.is) throw new AgentError('CLUSTER_UNREACHABLE', 'down');
        stored.push(object.data);
        return object;
      },
    } as unknown as Cluster;
    const recorder = {
      record: (about: KubeObject, { message }: CanaryEvent) => void told.push(`${about.metadata.name}: ${message}`),
    };
    const ending = new AbortController();
    const status = createStatusObject(
      { cluster, clock, log: silentLogger, recorder, namespace: 'serin' },
      ending.signal,
    );
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

    status.update(well);
    await eventually('written', () => stored.length === 1);
    await turn();
    status.update({ ...well });
    status.update({ ...well, pendingOutcomes: 3 });
    status.update({ ...well, errors: [error('a.yaml')] });
    await turn();
    expect(stored).toHaveLength(1);
    clock.advance(10_000);
    await eventually('written', () => stored.length === 2);
    expect(stored[1]).toMatchObject({ failed: '1', 'pending-outcomes': '2', problems: 'a.yaml:3 is wrong' });
    expect(told).toEqual(['serin-status: The cluster is not as Git says in 1 place: a.yaml:3 is wrong']);

    down.is = true;
    await turn();
    clock.advance(20_000);
    status.update(well);
    await turn();
    down.is = false;
    clock.advance(20_000);
    await turn();
    status.update(well);
    await eventually('written', () => stored.length === 3);
    expect(told.at(-1)).toBe('serin-status: The cluster is as Git says again');
    ending.abort(new Error('the end'));
  });
});

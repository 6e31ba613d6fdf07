import { createOwnWrites } from '../../../src/cluster/own-writes.ts';
import { describe, expect, it } from 'vitest';
import { createAppliedApps } from '../../../src/agent/releases/applied-apps.ts';
import type { SourceDeps, WholeSettings } from '../../../src/agent/deps.ts';
import { createLedgers } from '../../../src/agent/releases/ledgers.ts';
import { createRecordStore } from '../../../src/agent/releases/record-store.ts';
import { createReleases } from '../../../src/agent/releases/releases.ts';
import { createSyncLoop, type SyncLoop, type SyncState } from '../../../src/agent/source/sync-loop.ts';
import { sourceTelemetry } from '../../../src/agent/source-telemetry.ts';
import { createTelemetry } from '../../../src/outlets/telemetry.ts';
import { asRevision, type GitRepo, type Revision } from '../../../src/git/repo.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import type { Http } from '../../../src/lib/http/http.ts';
import { createLogger } from '../../../src/lib/log.ts';
import type { Problem } from '../../../src/manifest/types.ts';
import type { Desired, Syncer, SyncResult } from '../../../src/sync/syncer.ts';
import { eventually } from '../../helpers/eventually.ts';
import { type ManualClock, manualClock } from '../../helpers/manual-clock.ts';
import { treeRepo } from '../../helpers/tree-repo.ts';

const commit = (name: string): Revision => asRevision(name.padEnd(40, '0'));
const second = 1_000;

/** A branch whose commits hold one ConfigMap that is called as they are, up to a dash; the whole name stands in a ledger. */
interface Branch {
  tip: string;
  isReachable: boolean;
}

const nameOf = (at: Revision): string => at.replace(/0+$/, '');

function repoOf(branch: Branch, whileFetched: (commit: string) => void): GitRepo {
  const fetched = new Set<Revision>();
  const repo: Partial<GitRepo> = {
    ...treeRepo((at) => ({
      'a.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${nameOf(at).split('-')[0]} }\n`,
      '.releases/test/app.yaml': `apiVersion: serin.dev/v1\nnote: ${nameOf(at)}\n`,
    })),
    branch: 'main',
    isAncestor: () => Promise.resolve(true),
    poll: () =>
      branch.isReachable
        ? Promise.resolve(commit(branch.tip))
        : Promise.reject(new AgentError('GIT_UNREACHABLE', 'the server is down')),
    fetch(revision) {
      if (!fetched.has(revision)) whileFetched(nameOf(revision));
      fetched.add(revision);
      return Promise.resolve();
    },
  };
  return repo as GitRepo;
}

interface Stage {
  /** What a person lets go. */
  readonly allowed: { guarded?: string };
  /** The state after each pass. */
  readonly passes: SyncState[];
  readonly gauge: (name: string) => Promise<number | undefined>;
  readonly clock: ManualClock;
  readonly branch: Branch;
  readonly loop: SyncLoop;
  /** The commits that were applied to their end. */
  readonly applied: string[];
  /** Those of which nothing was applied, because they were not the tip any more. */
  readonly dropped: string[];
  readonly messages: string[];
  /** What the syncer was told to apply. */
  readonly revisions: string[];
}

type Meanwhile = (stage: Stage, commit: string) => void;

/**
 * The loop on a branch, with a cluster that takes everything. `whileFetched` goes on while a commit comes for the first time, `whileOpening`
 * before it is applied.
 */
async function onStage(
  {
    whileFetched,
    whileOpening,
    guard,
    warnings,
  }: {
    readonly whileFetched?: Meanwhile;
    readonly whileOpening?: Meanwhile;
    readonly guard?: string;
    /** What is wrong with a commit. */
    readonly warnings?: (commit: string) => readonly Problem[];
  },
  story: (stage: Stage) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const clock = manualClock();
  const messages: string[] = [];
  const log = createLogger('info', (line) => messages.push((JSON.parse(line) as { msg: string }).msg));
  const branch: Branch = { tip: 'a', isReachable: true };
  const settings = { path: '', ledgerDir: '.releases', defaultNamespace: 'default', pollIntervalMs: 60 * second };
  const telemetry = createTelemetry('test', 'traefik');
  const deps: SourceDeps = {
    source: 'default',
    clock,
    log,
    repo: repoOf(branch, (name) => whileFetched?.(stage, name)),
    cluster: {} as Cluster,
    http: {} as Http,
    telemetry: sourceTelemetry(telemetry),
    settings: { ...settings, minIntervalMs: 0, provider: 'traefik', suspend: false } as WholeSettings,
  };
  const allowed: { guarded?: string } = {};
  const passes: SyncState[] = [];
  const applied: string[] = [];
  const dropped: string[] = [];
  const revisions: string[] = [];
  const nothing: SyncResult = {
    applied: [],
    unchanged: 0,
    pruned: [],
    failed: [],
    warnings: [],
    held: undefined,
    guarded: undefined,
    isOutdated: false,
    versions: new Map(),
    refused: new Map(),
  };
  const syncer: Syncer = {
    async sync(desired: Desired, signal) {
      const name = desired.manifests[0]?.object.metadata.name ?? '';
      whileOpening?.(stage, name);
      const isOutdated = (await desired.isCurrent?.(signal)) === false;
      revisions.push(desired.revision);
      (isOutdated ? dropped : applied).push(name);
      return {
        ...nothing,
        warnings: warnings?.(name) ?? [],
        isOutdated,
        ...(guard === undefined || guard === allowed.guarded ? {} : { held: 'much', guarded: guard }),
      };
    },
    open: () => Promise.resolve(),
    placeOf: () => undefined,
    known: () => [],
    mayPrune: (_revision, guarded) => Promise.resolve(guarded === allowed.guarded),
    onDrift: () => undefined,
    stop: () => undefined,
  };
  const gauge = async (name: string): Promise<number | undefined> =>
    (await telemetry.registry.getSingleMetric(name)?.get())?.values[0]?.value;
  const { signal } = ending;
  const ledgers = createLedgers(deps);
  const releases = createReleases({
    own: createOwnWrites(clock),
    deps,
    store: createRecordStore(deps.cluster, 'serin'),
    submit: () => undefined,
    ledger: (key) => ledgers.get(key),
    signal,
  });
  const loop = createSyncLoop({
    deps,
    syncer,
    releases,
    applied: createAppliedApps({ clock, hasSeen: () => true }),
    ledgers,
    phaseOf: () => undefined,
    takenOver: () => new Set(),
    onPass: () => passes.push({ ...loop.state }),
    onSynced: () => undefined,
    signal,
  });
  const stage: Stage = { allowed, passes, gauge, clock, branch, loop, applied, dropped, messages, revisions };
  const running = loop.run();
  try {
    await story(stage);
  } finally {
    ending.abort(new Error('the story is over'));
    await running;
  }
}

describe('the tip that is applied', () => {
  it('is the one after a clone that took long, not the one that was asked for before it', async () => {
    const whileFetched: Meanwhile = ({ branch, clock }, name) => {
      clock.advance(name === 'a' ? 3 * second : 0);
      branch.tip = 'b';
    };
    await onStage({ whileFetched }, async ({ applied, dropped, loop }) => {
      await eventually('synced', () => applied.length > 0);
      expect([dropped, applied]).toEqual([[], ['b']]);
      expect(loop.state.synced).toBe(commit('b'));
    });
  });

  it('is a newer one where the cluster took long to answer, also where somebody else has applied that already', async () => {
    const whileOpening: Meanwhile = (on, name) => {
      on.clock.advance(3 * second);
      if (name === 'a') on.branch.tip = 'b';
    };
    await onStage({ whileOpening }, async ({ applied, dropped, loop, messages }) => {
      await eventually('synced', () => applied.length > 0);
      expect([dropped, applied]).toEqual([['a'], ['b']]);
      expect(loop.state).toMatchObject({ tip: commit('b'), synced: commit('b') });
      expect(messages).toEqual([
        'Git moved on meanwhile: the newer commit is taken',
        `Synced ${commit('b').slice(0, 10)}`,
      ]);
    });
  });

  it('is an older one where somebody went back to it by force', async () => {
    await onStage({}, async ({ applied, branch, loop }) => {
      for (const name of ['b', 'a']) {
        await eventually('synced', () => loop.state.synced === commit(branch.tip));
        branch.tip = name;
        loop.wake('a push');
      }
      await eventually('back', () => applied.length === 3);
      expect(applied).toEqual(['a', 'b', 'a']);
    });
  });

  it('is what Git said last where it cannot be reached any more', async () => {
    const whileOpening: Meanwhile = (on) => {
      on.branch.isReachable = false;
      on.clock.advance(3 * second);
    };
    await onStage({ whileOpening }, async ({ applied, dropped }) => {
      await eventually('synced', () => applied.length > 0);
      expect([applied, dropped]).toEqual([['a'], []]);
    });
  });

  it('is applied although somebody pushes all the time', async () => {
    let pushes = 0;
    const whileOpening: Meanwhile = (on) => {
      on.clock.advance(3 * second);
      pushes += 1;
      on.branch.tip = `c${pushes}`;
    };
    await onStage({ whileOpening }, async ({ applied, dropped }) => {
      await eventually('synced', () => applied.length > 0);
      expect(dropped).toEqual(['a', 'c1', 'c2']);
      expect(applied[0]).toBe('c3');
    });
  });
});

describe('a commit that changes no manifest', () => {
  it('is synced without anything to be planned, and what is told of the manifests names the commit that made them so', async () => {
    await onStage({}, async ({ applied, branch, loop, messages, revisions }) => {
      for (const tip of ['a', 'a-1', 'a-2', 'b', 'b-1']) {
        branch.tip = tip;
        loop.wake('a push');
        await eventually(`synced ${tip}`, () => loop.state.synced === commit(tip));
      }
      expect(applied).toEqual(['a', 'b']);
      expect(messages.filter((message) => message.startsWith('Synced '))).toHaveLength(5);
      loop.resync();
      await eventually('compared', () => applied.length === 3);
      expect(revisions).toEqual(['a', 'b', 'b'].map(commit));
    });
  });
});

describe('what is wrong', () => {
  it('is told once, also where later commits move it to another line, and again when it comes back', async () => {
    const wrong: Readonly<Record<string, readonly number[]>> = { a: [3], b: [4], c: [], d: [3], e: [3] };
    const warnings = (name: string): readonly Problem[] =>
      (wrong[name] ?? []).map((line) => ({ severity: 'warning', path: 'x.yaml', line, message: 'is doubtful' }));
    await onStage({ warnings }, async ({ branch, loop, messages }) => {
      const told = (): number => messages.filter((message) => message.endsWith('is doubtful')).length;
      const counts: number[] = [];
      for (const tip of ['a', 'b', 'c', 'd', 'e']) {
        branch.tip = tip;
        loop.wake('a push');
        await eventually(`synced ${tip}`, () => loop.state.synced === commit(tip));
        counts.push(told());
      }
      expect(counts).toEqual([1, 1, 1, 2, 2]);
    });
  });
});

describe('what the guard holds', () => {
  it('is looked at again as soon as a person lets it go, without a new commit', async () => {
    await onStage({ guard: 'these' }, async ({ allowed, applied, clock, loop }) => {
      await eventually('synced', () => loop.state.synced === commit('a'));
      for (let polls = 0; polls < 3; polls += 1) {
        clock.advance(60 * second);
        loop.wake('a poll');
        await eventually('asked', () => loop.state.lastPollMs === clock.now());
      }
      expect(applied).toHaveLength(1);
      allowed.guarded = 'these';
      loop.wake('a poll');
      await eventually('let go', () => applied.length === 2);
    });
  });
});

describe('what is wrong', () => {
  const wrong = (path: string, message: string, severity: Problem['severity'] = 'error'): Problem => ({
    severity,
    path,
    line: 1,
    message,
  });

  it('counts files and objects that are not in the cluster, each once, and no warnings', async () => {
    const warnings = (name: string) =>
      name === 'a'
        ? [
            wrong('x.yaml', 'the file is UTF-16'),
            wrong('x.yaml', 'the file is UTF-16: ConfigMap a stays'),
            wrong('y.yaml', 'refused'),
            wrong('z.yaml', 'a hook', 'warning'),
          ]
        : [];
    await onStage({ warnings }, async ({ branch, gauge, loop, passes }) => {
      await eventually('synced', () => loop.state.synced === commit('a'));
      expect(loop.state.errors.map(({ message }) => message)).toEqual([
        'the file is UTF-16: ConfigMap a stays',
        'refused',
      ]);
      expect(await gauge('serin_sync_failed_objects')).toBe(2);
      // A commit that changes no manifest makes nothing better.
      for (const [tip, count] of [
        ['a-1', 2],
        ['b', 0],
      ] as const) {
        branch.tip = tip;
        loop.wake('a push');
        await eventually(`synced ${tip}`, () => loop.state.synced === commit(tip));
        expect(await gauge('serin_sync_failed_objects')).toBe(count);
      }
      await eventually('told', () => passes.at(-1)?.errors.length === 0);
    });
  });

  it('is told after a pass that failed, too, and Git that is silent is told from all else', async () => {
    let isBroken = true;
    const whileOpening: Meanwhile = () => {
      if (isBroken) throw new AgentError('CLUSTER_UNREACHABLE', 'the cluster is away');
    };
    await onStage({ whileOpening }, async ({ branch, clock, gauge, loop, passes }) => {
      await eventually('failed', () => passes.length === 1);
      expect(passes[0]).toMatchObject({ trouble: 'the cluster is away', isGitSilent: false });
      expect(await gauge('serin_sync_failing')).toBe(1);
      isBroken = false;
      loop.wake('now');
      await eventually('synced', () => passes.at(-1)?.synced === commit('a'));
      expect(passes.at(-1)?.trouble).toBeUndefined();
      expect(await gauge('serin_sync_failing')).toBe(0);
      branch.isReachable = false;
      clock.advance(60 * second);
      loop.wake('now');
      await eventually('silent', () => passes.at(-1)?.isGitSilent === true);
    });
  });
});

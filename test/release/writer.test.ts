import { describe, expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { eventually } from '../helpers/eventually.ts';
import { commitFiles, lines, revParse, runGit, show, subjects } from '../helpers/temp-repo.ts';
import { type AppShape, appTree, deploymentText } from './a-config-repo.ts';
import { shortWhile, type Stage, withWriters } from './a-writer.ts';
import { anOutcome, outcomeOf } from './an-outcome.ts';
import type { Outcome } from '../../src/release/types.ts';

const ledger = '.releases/test/shop.yaml';
const v1: AppShape = { name: 'shop' };
const v2: AppShape = { name: 'shop', image: 'shop:2.0.0' };

interface Pushed {
  readonly base: string;
  readonly judged: string;
}

/** Two commits: the stable state and a release of it. */
async function pushed(
  stage: Stage,
  before: readonly AppShape[] = [v1],
  after: readonly AppShape[] = [v2],
): Promise<Pushed> {
  const base = await stage.commit(appTree(...before), 'v1');
  return { base, judged: await stage.commit(appTree(...after), 'v2') };
}
const tags = async (stage: Stage): Promise<string[]> => lines(await runGit(['-C', stage.path, 'tag', '--list']));
const shopOutcome = (verdict: Outcome['verdict'], { base, judged }: Pushed, change: Partial<Outcome> = {}): Outcome =>
  outcomeOf('shop', verdict, { revision: judged, files: appTree(v2) }, base, change);

describe('a promotion', () => {
  it('is recorded for its commit where the app moved on meanwhile', async () => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      await stage.commit(appTree({ ...v2, image: 'shop:3.0.0' }));
      const { writer, idle } = await stage.start();
      writer.submit(shopOutcome('promoted', at));
      await idle();
      expect(await revParse(stage.path, 'releases/test/shop/1^{commit}')).toBe(at.judged);
      expect(await show(stage.path, 'main', 'shop/deployment.yaml')).toContain('shop:3.0.0');
    });
  });

  it('gets the tag that a crash or a person took away', async () => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      const first = await stage.start();
      first.writer.submit(shopOutcome('promoted', at));
      await first.idle();
      await runGit(['-C', stage.path, 'tag', '-d', 'releases/test/shop/1']);
      const tip = await stage.tip();
      const second = await stage.start({}, 'other');
      second.writer.submit(shopOutcome('promoted', at));
      await second.idle();
      expect(await tags(stage)).toEqual(['releases/test/shop/1']);
      expect(await stage.tip()).toBe(tip);
      expect(second.written).toMatchObject([{ number: 1 }]);
    });
  });

  it('that came late does not move the ledger back', async () => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      const { writer, written, needless, idle } = await stage.start();
      const newer = shopOutcome('promoted', at, { atMs: anOutcome().atMs - 60_000 });
      writer.submit(newer);
      await idle();
      writer.submit({ ...shopOutcome('promoted', { ...at, judged: at.base }), releaseId: 'older' });
      await idle();
      // Nothing of it is in Git, so it is not called written.
      expect(written).toHaveLength(1);
      expect(needless).toEqual([
        { id: 'older', reason: `Git tells release 1 of it that is newer, at ${at.judged.slice(0, 12)}` },
      ]);
      expect(await show(stage.path, 'main', ledger)).toContain(newer.releaseId);
      expect(await subjects(stage.path)).toHaveLength(4);
    });
  });
});

describe('more outcomes at once than one push takes', () => {
  it('are one commit and one tag each, in few pushes, with the tags asked for once a push', async () => {
    await withWriters(async (stage) => {
      const { judged } = await pushed(stage);
      const names = Array.from({ length: 60 }, (_, at) => `app-${at}`);
      const { writer, written, idle } = await stage.start();
      stage.server.takeRequests();
      for (const name of names)
        writer.submit(
          anOutcome({
            app: { namespace: 'test', name },
            releaseId: `release-of-${name}`,
            state: { ...anOutcome().state, revision: asRevision(judged) },
          }),
        );
      await idle();
      expect(written.map(({ outcome }) => outcome.app.name)).toEqual(names);
      expect(new Set(written.map(({ revision }) => revision)).size).toBe(60);
      expect((await tags(stage)).toSorted()).toEqual(names.map((name) => `releases/test/${name}/1`).toSorted());
      expect(await subjects(stage.path)).toHaveLength(63);
      const sent = stage.server.takeRequests().filter(({ method }) => method === 'POST');
      expect(sent.filter(({ path }) => path.endsWith('git-receive-pack'))).toHaveLength(2);
      expect(sent.length).toBeLessThan(14);
    });
  });
});

describe('a rollback', () => {
  it.each<readonly [string, ReadonlyMap<string, string | null>]>([
    ['nothing of the app', new Map([...appTree(v1).keys()].map((path) => [path, null]))],
    ['only its Canary', new Map([['shop/deployment.yaml', null]])],
    ['what was never judged', appTree({ name: 'shop', image: 'shop:9.0.0' })],
  ])('goes back to what was promoted, where its base holds %s', async (_, meanwhile) => {
    await withWriters(async (stage) => {
      const first = await stage.commit(appTree(v1), 'v1');
      const { writer, idle } = await stage.start();
      writer.submit(outcomeOf('shop', 'promoted', { revision: first, files: appTree(v1) }, first));
      await idle();
      const base = await stage.commit(meanwhile);
      const judged = await stage.commit(appTree(v2), 'v2');
      writer.submit(shopOutcome('rolled-back', { base, judged }));
      await idle();
      expect(await show(stage.path, 'main', 'shop/deployment.yaml')).toContain('shop:1.0.0');
    });
  });

  it('is not repeated after its quarantine was lifted', async () => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      const { writer, written, idle } = await stage.start();
      writer.submit(shopOutcome('rolled-back', at));
      await idle();
      const told = await stage.tip();
      await stage.commit(new Map([...appTree(v2), [ledger, null]]), 'try again');
      writer.submit(shopOutcome('rolled-back', at));
      await idle();
      expect(written[1]?.revision).toBe(told);
      expect((await subjects(stage.path))[0]).toBe('try again');
    });
  });

  it('that cannot be made holds up nobody else, and is made when the tip allows it', async () => {
    await withWriters(async (stage) => {
      const base = await stage.commit(new Map([...appTree({ name: 'cart' }), ['shop/canary.yaml', '']]), 'none');
      const judged = await stage.commit(appTree(v2, { name: 'cart', image: 'cart:2' }), 'all');
      const { writer, written, blocked } = await stage.start();
      const cart = outcomeOf(
        'cart',
        'promoted',
        { revision: judged, files: appTree({ name: 'cart', image: 'cart:2' }) },
        base,
      );
      writer.submit(shopOutcome('rolled-back', { base, judged }));
      writer.submit(cart);
      await eventually('the other one', () => written.length === 1);
      expect(written[0]?.outcome).toBe(cart);
      expect(blocked[0]?.reason).toMatch(/no earlier state.*revert [0-9a-f]{12} by hand/);
      expect(writer.pending()).toMatchObject([{ blocked: blocked[0]?.reason }]);
      await stage.commit(
        new Map([
          ['shop/deployment.yaml', deploymentText({ ...v2, image: 'shop:3' })],
          ['shop/canary.yaml', null],
        ]),
      );
      await eventually('the other one as well', () => writer.pending().length === 0);
    });
  });

  it('gives back every byte of a file that is no UTF-8', async () => {
    await withWriters(async (stage) => {
      const bytes = (image: string): Buffer =>
        Buffer.concat([
          Buffer.from(`# caf`),
          Buffer.from([0xe9]),
          Buffer.from(`\n${deploymentText({ ...v1, image })}`),
        ]);
      const commit = (image: string): Promise<string> =>
        commitFiles(stage.path, {
          files: { ...Object.fromEntries(appTree(v1)), 'shop/deployment.yaml': bytes(image) },
          message: image,
        });
      const at = { base: await commit('shop:1.0.0'), judged: await commit('shop:2.0.0') };
      const { writer, idle } = await stage.start();
      writer.submit(shopOutcome('rolled-back', at));
      await idle();
      const hash = (revision: string): Promise<string> => revParse(stage.path, `${revision}:shop/deployment.yaml`);
      expect(await hash('main')).toBe(await hash(at.base));
      expect(await hash('main')).not.toBe(await hash(at.judged));
    });
  });
});

describe('a push that does not go through', () => {
  it.each(['drop-response', 'status'] as const)(
    'and may have landed all the same is looked for first (%s)',
    async (kind) => {
      await withWriters(async (stage) => {
        const at = await pushed(stage);
        const { writer, idle, written } = await stage.start();
        stage.server.faults.inject(kind === 'status' ? { kind, status: 502 } : { kind }, { only: 'push', times: 2 });
        writer.submit(shopOutcome('promoted', at));
        await idle();
        expect(await subjects(stage.path)).toEqual(['promote test/shop 2.0.0', 'v2', 'v1', 'initial commit']);
        expect(written).toMatchObject([{ number: 1, revision: await stage.tip() }]);
        expect(await tags(stage)).toEqual(['releases/test/shop/1']);
      });
    },
  );

  it('because the ledger is broken tells file and line and keeps the broken file', async () => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      await stage.commit(new Map([[ledger, 'a: [']]));
      const { writer, blocked, idle } = await stage.start();
      writer.submit(shopOutcome('promoted', at));
      await eventually('told', () => blocked.length === 1);
      expect(blocked[0]?.reason).toContain(`${ledger}:1`);
      expect(await show(stage.path, 'main', ledger)).toBe('a: [');
      await stage.commit(new Map([[ledger, null]]));
      await idle();
    });
  });
});

it('nothing is written where writing is off', async () => {
  await withWriters(async (stage) => {
    const at = await pushed(stage);
    const { writer } = await stage.start({ write: 'none' });
    writer.submit(shopOutcome('promoted', at));
    await shortWhile();
    expect(writer.pending()).toEqual([]);
    expect(await subjects(stage.path)).toHaveLength(3);
  });
});

describe('a place of the ledgers that is taken', () => {
  it.each([
    ['.releases', '100644', '.releases is a file'],
    ['.releases', '120000', '.releases is a symbolic link'],
    ['.releases/test', '100644', '.releases/test is a file'],
    ['.releases/test/shop.yaml', '120000', '.releases/test/shop.yaml is a symbolic link'],
    ['.releases/test/shop.yaml/x', '100644', '.releases/test/shop.yaml is a folder'],
  ])('%s of mode %s is told as what it is, and the outcome is written once it is gone', async (path, mode, told) => {
    await withWriters(async (stage) => {
      const at = await pushed(stage);
      const judged = { ...at };
      await commitFiles(stage.path, { files: { [path]: 'elsewhere' }, modes: { [path]: mode }, message: 'in the way' });
      const { writer, blocked, idle } = await stage.start();
      writer.submit(shopOutcome('rolled-back', judged));
      await eventually('it is told', () => blocked.length > 0);
      expect(blocked[0]?.reason).toContain(`${told}, so the ledger ${ledger} cannot be kept there`);
      expect(blocked[0]?.reason).not.toContain('server');
      await commitFiles(stage.path, { files: { [path]: null }, message: 'out of the way' });
      await idle();
      expect(await show(stage.path, 'main', ledger)).toContain('quarantine');
    });
  });
});

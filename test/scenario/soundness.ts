import { expect } from 'vitest';
import { parse } from 'yaml';
import type { StoredObject } from '../../src/sandbox/types.ts';
import { fsck, lines } from '../helpers/temp-repo.ts';
import { agentCommits } from './outcomes.ts';
import type { Stage } from './stage.ts';

interface Ledger {
  readonly removed?: { readonly revision: string; readonly by?: string };
  readonly stable?: {
    readonly release: number;
    readonly revision: string;
    readonly images: Readonly<Record<string, string>>;
  };
  readonly quarantine?: readonly { readonly releaseId: string; readonly reason: string }[];
}

export async function ledger(stage: Stage, app = 'test/podinfo'): Promise<Ledger | undefined> {
  const text = await stage.file(`apps/.releases/${app}.yaml`);
  return text === undefined ? undefined : (parse(text) as Ledger);
}

/** What holds after every scenario, whatever happened in it. */
export async function expectSound(stage: Stage): Promise<void> {
  await expectSoundHistory(stage);
  await expectSoundCluster(stage);
  const faults = stage.log.filter(
    ({ level, msg, error }) => level === 'error' && (error !== undefined || msg.includes('\n    at ')),
  );
  expect(faults, 'the agent failed in a way that nobody expected').toEqual([]);
  if (stage.agent.isRunning()) expect(stage.agent.notAlive()).toEqual([]);
}

async function expectSoundHistory(stage: Stage): Promise<void> {
  const { repoPath, run } = stage;
  await fsck(repoPath);
  const commits = await agentCommits(stage);
  const history = (await run('log', '--format=%x1e%P%x1f%(trailers:key=Release-Id,valueonly)', 'main'))
    .split('\x1e')
    .slice(1)
    .map((record) => record.split('\x1f'));
  const merges = history.flatMap(([parents = '']) => (parents.includes(' ') ? [parents] : []));
  expect(merges, 'history is linear').toEqual([]);
  const ids = history.flatMap(([, found = '']) => lines(found));
  expect(new Set(ids).size, 'each release has one outcome').toBe(ids.length);
  const promotions = commits.filter(({ trailers: { Verdict } }) => Verdict === 'promoted');
  const tags = lines(await run('for-each-ref', '--format=%(objecttype) %(*objectname) %(refname:short)', 'refs/tags'));
  const wanted = promotions.map(({ trailers: { Release, Revision } }) => `tag ${Revision} releases/${Release}`);
  expect(tags.toSorted(), 'each promotion has one tag').toEqual(wanted.toSorted());
  for (const { subject, trailers, changed } of commits) {
    expect(trailers, subject).toMatchObject({ Release: expect.any(String), Agent: expect.stringMatching(/^serin\//) });
    expect(['promoted', 'rolled-back', 'withdrawn', 'adopted', 'removed']).toContain(trailers['Verdict']);
    if (trailers['Verdict'] !== 'rolled-back')
      expect(
        changed.every((path) => path.startsWith('apps/.releases/')),
        `${subject} touches ledgers only`,
      ).toBe(true);
  }
}

/** Weights are whole and what runs as the primary is what the ledger says. */
async function expectSoundCluster(stage: Stage): Promise<void> {
  const { store } = stage.sandbox;
  for (const route of store.list('gateway.networking.k8s.io/v1', 'HTTPRoute')) {
    // Weights of a route that is its users' own are whatever they are.
    if (!route.metadata.ownerReferences?.some(({ kind }) => kind === 'Canary')) continue;
    const { rules = [] } = route['spec'] as { rules?: { backendRefs?: { weight?: number }[] }[] };
    for (const { backendRefs = [] } of rules)
      expect(
        backendRefs.reduce((sum, { weight = 1 }) => sum + weight, 0),
        `weights of ${route.metadata.name}`,
      ).toBe(100);
  }
  for (const { metadata, ...rest } of store.list('flagger.app/v1beta1', 'Canary')) {
    const { targetRef } = rest['spec'] as { targetRef: { kind: string; name: string } };
    if (targetRef.kind === 'Service') continue;
    const primary = store.get('apps/v1', targetRef.kind, metadata.namespace, `${targetRef.name}-primary`);
    const entry = (await ledger(stage, `${metadata.namespace}/${metadata.name}`))?.stable;
    if (primary && entry) expect(imagesOf(primary), `${metadata.name} runs what its ledger says`).toEqual(entry.images);
  }
}

function imagesOf(deployment: StoredObject): Record<string, string> {
  const { template } = deployment['spec'] as { template: { spec: { containers: { name: string; image: string }[] } } };
  return Object.fromEntries(template.spec.containers.map(({ name, image }) => [name, image]));
}

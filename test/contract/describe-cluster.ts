import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe } from 'vitest';
import type { ClusterUnderTest, Given, OpenedCluster } from './cluster-under-test.ts';
import { prepare } from './cluster-under-test.ts';
import { customResources } from './suite/custom-resources.ts';
import { daemonSets } from './suite/daemon-sets.ts';
import { deletion } from './suite/deletion.ts';
import { fieldOwnership } from './suite/field-ownership.ts';
import { jobs } from './suite/jobs.ts';
import { kubectlApplies } from './suite/kubectl-apply.ts';
import { kubectlOnPods } from './suite/kubectl-pods.ts';
import { kubectlReads } from './suite/kubectl-read.ts';
import { kubectlWrites } from './suite/kubectl-write.ts';
import { limits } from './suite/limits.ts';
import { listing } from './suite/listing.ts';
import { notReady } from './suite/not-ready.ts';
import { objects } from './suite/objects.ts';
import { reviews } from './suite/reviews.ts';
import { copiedServices } from './suite/services.ts';
import { appliedObjects } from './suite/verdicts.ts';
import { watching } from './suite/watching.ts';
import { workloads } from './suite/workloads.ts';

/** States what a cluster does. The same tests run on the sandbox and on a real one; where they differ, the sandbox is wrong. */
export function describeCluster(name: string, open: () => Promise<OpenedCluster>): void {
  describe.concurrent(name, () => {
    let cluster: ClusterUnderTest | undefined;
    const given: Given = () => {
      if (!cluster) throw new Error('the cluster is not open');
      return cluster;
    };
    beforeAll(async () => {
      cluster = await prepare(await open());
    });
    afterAll(() => cluster?.close());
    describe('objects', () => objects(given));
    describe('limits', () => limits(given));
    describe('lists', () => listing(given));
    describe('watches', () => watching(given));
    describe('field ownership', () => fieldOwnership(given));
    describe('deletion', () => deletion(given));
    describe('custom resources', () => customResources(given));
    describe('workloads', () => workloads(given));
    describe('pods that do not start', () => notReady(given));
    describe('daemon sets', () => daemonSets(given));
    describe('copied services', () => copiedServices(given));
    describe('reviews', () => reviews(given));
    describe('objects that are applied', () => appliedObjects(given));
    const absent = kubectlAbsent();
    const unless = absent ? ' (left out: kubectl is not installed)' : '';
    describe.skipIf(absent)(`jobs${unless}`, () => jobs(given));
    describe.skipIf(absent)(`kubectl${unless}`, () => {
      kubectlReads(given);
      kubectlWrites(given);
      kubectlApplies(given);
      kubectlOnPods(given);
    });
  });
}

function kubectlAbsent(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

import { expect, test } from 'vitest';
import type { Given } from '../cluster-under-test.ts';
import { type Verdict, verdicts } from '../verdicts.ts';

/** Kinds whose objects the sandbox stores; of others it claims nothing. */
const plurals: Readonly<Record<string, string>> = {
  'v1/ConfigMap': 'configmaps',
  'v1/Secret': 'secrets',
  'v1/Service': 'services',
  'v1/ServiceAccount': 'serviceaccounts',
  'v1/Pod': 'pods',
  'apps/v1/Deployment': 'deployments',
  'apps/v1/DaemonSet': 'daemonsets',
  'autoscaling/v2/HorizontalPodAutoscaler': 'horizontalpodautoscalers',
  'networking.k8s.io/v1/Ingress': 'ingresses',
  'policy/v1/PodDisruptionBudget': 'poddisruptionbudgets',
};

/** What is refused when it is applied, and what is not. Nothing is stored. */
export function appliedObjects(given: Given): void {
  test('that cannot be are refused, all others are taken', async () => {
    const wrong: string[] = [];
    for (const verdict of verdicts) {
      const status = await asked(given, verdict);
      if (status !== undefined && status >= 400 !== verdict.refused) wrong.push(`${verdict.name}: ${status}`);
    }
    expect(wrong).toEqual([]);
  });
}

async function asked(given: Given, { object }: Verdict): Promise<number | undefined> {
  const { apiVersion, kind, metadata } = object;
  const plural = plurals[`${apiVersion}/${kind}`];
  if (plural === undefined) return undefined;
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const path = `${root}/namespaces/default/${plural}/${metadata.name}?fieldManager=verdicts&force=true&dryRun=All`;
  const { status } = await given().api.call('PATCH', path, object, { contentType: 'application/apply-patch+yaml' });
  return status;
}

import { expect } from 'vitest';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { namespaceYaml } from './apps.ts';
import { canary, object } from './look.ts';
import type { Stage } from './stage.ts';

/** Many apps whose targets are Services: they need no pods, so many of them cost little; everything else is as with Deployments. */
export interface ServiceApps {
  /** `app-00`, `app-01`, … */
  readonly names: readonly string[];
  /** Whether its metrics find its new version bad. */
  readonly isBad: (name: string) => boolean;
}

/** Of each `badEvery` apps the first one gets a version that its metrics find bad. */
export function serviceApps(count: number, badEvery: number): ServiceApps {
  const names = Array.from({ length: count }, (_, index) => `app-${String(index).padStart(2, '0')}`);
  return { names, isBad: (name) => Number(name.slice(4)) % badEvery === 0 };
}

/** By path. `analysisOf` gives what the analysis has beside its interval, threshold and metrics, as lines of YAML. */
export function filesOf(
  { names }: ServiceApps,
  analysisOf: (name: string) => readonly string[],
): Record<string, string> {
  const files: Record<string, string> = { 'apps/namespace.yaml': namespaceYaml() };
  for (const name of names) files[`apps/${name}.yaml`] = appYaml(name, analysisOf(name));
  return files;
}

/** The same with a new version of every app. */
export const nextVersion = (files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [path, text.replace('version: v1', 'version: v2')]));

const appYaml = (name: string, analysis: readonly string[]): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: test }
spec:
  selector: { app: ${name}, version: v1 }
  ports: [{ name: http, port: 9898 }]
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: ${name}, namespace: test }
spec:
  provider: gatewayapi:v1
  targetRef: { apiVersion: v1, kind: Service, name: ${name} }
  service:
    port: 9898
    hosts: [${name}.example.test]
    gatewayRefs: [{ name: public, namespace: test }]
  analysis:
    interval: 10s
    threshold: 1
    metrics: [{ name: request-success-rate, thresholdRange: { min: 99 } }]
${analysis.map((line) => `    ${line}\n`).join('')}`;

/** Finds the apps bad that are. */
export function startVerdicts({ isBad }: ServiceApps): Promise<TestServer> {
  return startServer(({ url = '' }, response, body) => {
    const name = /app-\d\d/.exec(decodeURIComponent(`${url}${body}`))?.[0];
    const value = name !== undefined && isBad(name) ? '42' : '100';
    const result = [{ metric: {}, value: [0, value] }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
}

export interface Phases {
  /** How many Canaries are in one of these. */
  readonly count: (...phases: readonly string[]) => number;
}

/** Told by the API server's own events: many objects are not looked at again and again. */
export function watchPhases({ sandbox }: Stage): Phases {
  const phases = new Map<string, string>();
  sandbox.store.onEvent(({ object: changed }) => {
    const phase = changed.kind === 'Canary' && (changed['status'] as { phase?: string } | undefined)?.phase;
    if (phase) phases.set(changed.metadata.name, phase);
  });
  return { count: (...wanted) => [...phases.values()].filter((phase) => wanted.includes(phase)).length };
}

/** Each has ended as its metrics say, and its users are with what that asks for. */
export function expectRightEnds(stage: Stage, { names, isBad }: ServiceApps): void {
  for (const name of names) {
    const { phase, weight } = canary(stage, { name });
    const primary = object(stage, 'Service', `${name}-primary`)?.['spec'];
    expect([name, phase, weight]).toEqual([name, isBad(name) ? 'Failed' : 'Succeeded', 0]);
    expect(primary).toMatchObject({ selector: { app: name, version: isBad(name) ? 'v1' : 'v2' } });
  }
}

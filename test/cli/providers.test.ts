import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';

async function serin(...argv: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  let said = '';
  const stdout = { write: (text: string) => void (said += text) };
  const { signal } = new AbortController();
  const code = await runCommandLine({ argv, environment: {}, stdout, stderr: stdout, signal });
  return { code, said };
}

interface Listed {
  readonly routers: readonly Readonly<Record<string, unknown>>[];
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
  readonly notifiers: readonly Readonly<Record<string, unknown>>[];
}

describe('serin providers', () => {
  it('lists as JSON each name that people write, and what it can do', async () => {
    const { code, said } = await serin('providers', '--json');
    expect(code).toBe(0);
    const { routers, metrics, notifiers } = JSON.parse(said) as Listed;
    const named = (name: string) => routers.find((router) => router['name'] === name);
    expect(named('istio')).toMatchObject({ weights: true, headers: true, mirror: true, affinity: true });
    expect(named('smi:v1alpha2')).toMatchObject({ weights: true, headers: false, mirror: false, affinity: false });
    expect(named('kubernetes')).toMatchObject({ weights: false, headers: false, resources: [] });
    // For some Canaries only: the notes say for which.
    expect(named('traefik')).toMatchObject({ headers: true, fields: ['spec.ingressRef', 'spec.ingressRefs'] });
    expect(named('contour')).toMatchObject({
      settings: ['ingress-class'],
      resources: ['httpproxies.projectcontour.io'],
    });
    expect(metrics.find(({ name }) => name === 'datadog')).toMatchObject({
      address: 'https://api.datadoghq.com',
      secretKeys: ['datadog_api_key', 'datadog_application_key'],
      series: true,
    });
    expect(metrics.find(({ name }) => name === 'prometheus')).toMatchObject({ address: null, secretKeys: [] });
    expect(notifiers.map(({ name }) => name)).toEqual([
      'slack',
      'msteams',
      'discord',
      'rocket',
      'gchat',
      'webhook',
      'alertmanager',
      'opsgenie',
      'pagerduty',
      'smtp',
    ]);
  });

  it('prints them for people, a table of each sort', async () => {
    const { code, said } = await serin('providers');
    expect(code).toBe(0);
    expect(said).toMatch(/^Routing providers of Canaries\nspec\.provider +what it is +weights/);
    expect(said).toMatch(
      /^traefik +Traefik +yes +yes +– +– +– +headers and cookies where spec\.ingressRef names an IngressRoute$/m,
    );
    expect(said).toMatch(/^graphite +Graphite +to be written$/m);
    expect(said).toMatch(/^webhook +Webhook +JSON to any URL; signed where the Secret has a signingKey$/m);
  });
});

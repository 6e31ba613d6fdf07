import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/manifest/types.ts';
import { nginx } from '../../src/routers/nginx.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { aRouteContext, aSpec } from '../helpers/a-route-context.ts';

const ingressRef = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', name: 'web' };
const path = (service: string) => ({
  path: '/',
  pathType: 'Prefix',
  backend: { service: { name: service, port: { number: 80 } } },
});
const PREFIX = 'nginx.ingress.kubernetes.io';
const source: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: {
    name: 'web',
    namespace: 'prod',
    labels: { team: 'shop' },
    annotations: {
      [`${PREFIX}/proxy-body-size`]: '8m',
      [`${PREFIX}/canary-weight-total`]: '1000',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    },
  },
  spec: {
    ingressClassName: 'nginx',
    tls: [{ hosts: ['shop.example.com'] }],
    rules: [
      { host: 'shop.example.com', http: { paths: [path('shop'), path('other')] } },
      { host: 'no-http.example.com' },
    ],
  },
};
const context = aRouteContext(aSpec({ ingressRef }));
const render = (canaryWeight: number, live?: KubeObject, from = source) =>
  nginx.render(context, { canaryWeight, mirror: false }, [from, live])[0] as KubeObject;
const testing = (match: readonly unknown[]) =>
  aRouteContext(aSpec({ ingressRef, analysis: { strategy: { kind: 'ab-testing', iterations: 3, match } } }));
const canaryKeys = (object: KubeObject | undefined) =>
  Object.fromEntries(
    Object.entries(object?.metadata.annotations ?? {}).filter(([key]) => key.startsWith(`${PREFIX}/canary`)),
  );

describe('nginx', () => {
  it('copies the user’s Ingress with the apex service replaced [MX01]', () => {
    const object = render(0);
    expect(object.metadata.name).toBe('web-canary');
    expect(object.metadata.labels).toEqual({ team: 'shop' });
    expect(object.metadata.annotations).toEqual({
      [`${PREFIX}/proxy-body-size`]: '8m',
      'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
      'helm.toolkit.fluxcd.io/driftDetection': 'disabled',
      [`${PREFIX}/canary`]: 'true',
      [`${PREFIX}/canary-weight`]: '0',
    });
    expect(object['spec']).toEqual({
      ingressClassName: 'nginx',
      tls: [{ hosts: ['shop.example.com'] }],
      rules: [
        { host: 'shop.example.com', http: { paths: [path('shop-canary'), path('other')] } },
        { host: 'no-http.example.com' },
      ],
    });
  });

  it('follows later changes of the user’s Ingress and keeps the weight', () => {
    const live = render(30);
    const changed: KubeObject = {
      ...source,
      metadata: { ...source.metadata, annotations: { [`${PREFIX}/rewrite-target`]: '/' } },
      spec: { rules: [{ http: { paths: [path('shop')] } }] },
    };
    const [plan] = planRoutes(nginx, context, [changed, live], 'keep');
    expect(plan?.object['spec']).toEqual({ rules: [{ http: { paths: [path('shop-canary')] } }] });
    expect(plan?.object.metadata.annotations).toMatchObject({
      [`${PREFIX}/canary-weight`]: '30',
      [`${PREFIX}/rewrite-target`]: '/',
    });
    expect(plan?.object.metadata.annotations).not.toHaveProperty(`${PREFIX}/proxy-body-size`);
  });

  it('takes foreign canary annotations out', () => {
    const live = render(10);
    live.metadata.annotations = {
      ...live.metadata.annotations,
      [`${PREFIX}/canary-by-header`]: 'x',
      [`${PREFIX}/canary-weight-total`]: '200',
    };
    expect(nginx.read(context, [source, live])).toEqual({ canaryWeight: 5, mirror: false });
    expect(canaryKeys(render(10, live))).toEqual({ [`${PREFIX}/canary`]: 'true', [`${PREFIX}/canary-weight`]: '10' });
  });

  it('routes by header and cookie in an A/B test and removes them afterwards [MX03]', () => {
    const match = [{ headers: { 'x-beta': { regex: '^(1|2)$' } } }, { headers: { cookie: { exact: 'beta' } } }];
    const ab = testing(match);
    const [running] = nginx.render(ab, { canaryWeight: 100, mirror: false }, [source, undefined]);
    expect(canaryKeys(running)).toEqual({
      [`${PREFIX}/canary`]: 'true',
      [`${PREFIX}/canary-weight`]: '0',
      [`${PREFIX}/canary-by-header`]: 'x-beta',
      [`${PREFIX}/canary-by-header-pattern`]: '^(1|2)$',
      [`${PREFIX}/canary-by-cookie`]: 'beta',
    });
    expect(nginx.read(ab, [source, running])).toEqual({ canaryWeight: 100, mirror: false });
    const [rest] = nginx.render(ab, { canaryWeight: 0, mirror: false }, [source, running]);
    expect(canaryKeys(rest)).toEqual({ [`${PREFIX}/canary`]: 'true', [`${PREFIX}/canary-weight`]: '0' });
    expect(nginx.read(ab, [source, rest])).toEqual({ canaryWeight: 0, mirror: false });
  });

  it('gives half of the users to the canary and takes them back [MX02]', () => {
    const half = render(50);
    expect(canaryKeys(half)).toEqual({ [`${PREFIX}/canary`]: 'true', [`${PREFIX}/canary-weight`]: '50' });
    expect(nginx.read(context, [source, half])).toEqual({ canaryWeight: 50, mirror: false });
    const home = render(0, half);
    expect(canaryKeys(home)).toEqual({ [`${PREFIX}/canary`]: 'true', [`${PREFIX}/canary-weight`]: '0' });
    expect(nginx.read(context, [source, home])).toEqual({ canaryWeight: 0, mirror: false });
  });

  it('takes users under test home with the first step of a promotion: NGINX moves all of them or none', () => {
    const ab = testing([{ headers: { 'x-beta': { exact: '1' } } }]);
    const [running] = nginx.render(ab, { canaryWeight: 100, mirror: false }, [source, undefined]);
    const [stepped] = nginx.render(ab, { canaryWeight: 50, mirror: false }, [source, running]);
    expect(nginx.read(ab, [source, stepped])).toEqual({ canaryWeight: 0, mirror: false });
  });

  it('takes users home without the Ingress that it copied', () => {
    const plan = planRoutes(nginx, context, [undefined, render(50)], { canaryWeight: 0, mirror: false });
    expect(plan.map(({ object }) => object)).toEqual([render(0)]);
    expect(() => planRoutes(nginx, context, [undefined, render(50)], { canaryWeight: 60, mirror: false })).toThrow(
      'does not exist',
    );
  });

  it('says what is missing', () => {
    expect(() => nginx.refs(aRouteContext(aSpec()))).toThrow(
      'Canary shop.prod: spec.ingressRef: provider nginx needs the name of an Ingress',
    );
    const none = { canaryWeight: 0, mirror: false };
    expect(() => nginx.render(context, none, [undefined, undefined])).toThrow(
      'Ingress web.prod, named by spec.ingressRef, does not exist',
    );
    const other = { ...source, spec: { rules: [{ http: { paths: [path('other')] } }] } };
    expect(() => nginx.render(context, none, [other, undefined])).toThrow(
      'Ingress web.prod has no path with the backend shop',
    );
    expect(() =>
      nginx.render(testing([{ sourceLabels: { a: 'b' } }]), { canaryWeight: 100, mirror: false }, [source]),
    ).toThrow('needs a header');
  });
});

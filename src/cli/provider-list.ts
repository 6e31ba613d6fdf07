import type { About } from '../lib/about.ts';
import { groupOf } from '../manifest/types.ts';
import { metricProviders } from '../metrics/registry.ts';
import type { MetricProvider } from '../metrics/provider.ts';
import type { Notifier } from '../notifiers/notifier.ts';
import { notifiers } from '../notifiers/registry.ts';
import { routers } from '../routers/registry.ts';
import type { Router } from '../routers/router.ts';

interface Listed extends About {
  /** As people write it. */
  readonly name: string;
}

/** All providers, as they declare themselves: `serin providers --json` and the tables of the README. */
export interface ProviderList {
  /** By `spec.provider` of a Canary. */
  readonly routers: readonly (Listed & {
    /** Each: for some Canary at least; `notes` says more. */
    readonly weights: boolean;
    readonly headers: boolean;
    readonly mirror: boolean;
    readonly affinity: boolean;
    /** Its controller says which routes it does not take, and such a route holds the release. */
    readonly reports: boolean;
    /** Kinds that it reads and writes, as `httproutes.gateway.networking.k8s.io`. */
    readonly resources: readonly string[];
    /** Fields of a Canary that it looks at and not every router does. */
    readonly fields: readonly string[];
    /** Settings of the agent. */
    readonly settings: readonly string[];
  })[];
  /** By `spec.provider.type` of a MetricTemplate. */
  readonly metrics: readonly (Listed & {
    /** Where none is written; null: it must be, and the empty string: the provider knows where to ask. */
    readonly address: string | null;
    /** Keys that the Secret must have; empty: none is needed. */
    readonly secretKeys: readonly string[];
    /** It tells values over a time, too. */
    readonly series: boolean;
  })[];
  /** By `spec.type` of an AlertProvider. */
  readonly notifiers: readonly Listed[];
}

export function providerList(): ProviderList {
  return {
    routers: Object.entries<Router>(routers).map(
      ([name, { about, supports, usersHint, kinds, fields, settings, ...router }]) => ({
        name,
        ...about,
        weights: supports.weights,
        headers: supports.headers || usersHint !== undefined,
        mirror: supports.mirror,
        affinity: supports.affinity,
        reports: 'trouble' in router,
        resources: kinds.map(({ apiVersion, plural }) => [plural, groupOf(apiVersion)].filter(Boolean).join('.')),
        fields: fields ?? [],
        settings: Object.keys(settings ?? {}),
      }),
    ),
    metrics: Object.entries<MetricProvider>(metricProviders).map(([name, provider]) => ({
      name,
      ...provider.about,
      address: provider.address ?? (provider.hasOwnAddress ? '' : null),
      secretKeys: provider.secretKeys ?? [],
      series: 'series' in provider,
    })),
    notifiers: Object.entries<Notifier>(notifiers).map(([name, { about }]) => ({ name, ...about })),
  };
}

/** The same for people: a table of each sort, the first row its head. */
export function providerTables(): Readonly<Record<keyof ProviderList, readonly (readonly string[])[]>> {
  const list = providerList();
  const shown = (can: boolean): string => (can ? 'yes' : '–');
  return {
    routers: [
      ['spec.provider', 'what it is', 'weights', 'headers, cookies', 'mirror', 'affinity', 'refusal known', 'notes'],
      ...list.routers.map(({ name, title, weights, headers, mirror, affinity, reports, notes = '' }) => [
        name,
        title,
        ...[weights, headers, mirror, affinity, reports].map(shown),
        notes,
      ]),
    ],
    metrics: [
      ['spec.provider.type', 'what it is', 'keys of its Secret', 'address', 'notes'],
      ...list.metrics.map(({ name, title, secretKeys, address, notes = '' }) => [
        name,
        title,
        secretKeys.join(', '),
        address === '' ? 'its own' : (address ?? 'to be written'),
        notes,
      ]),
    ],
    notifiers: [
      ['spec.type', 'what it is', 'notes'],
      ...list.notifiers.map(({ name, title, notes = '' }) => [name, title, notes]),
    ],
  };
}

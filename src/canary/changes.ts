import { sameJson } from '../lib/same-json.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { App } from './app.ts';
import { at, type Json, jsonOf, listOf, textOf } from '../lib/json.ts';
import { targets } from './targets/registry.ts';

/** More than these are told as a number. */
const limit = 20;

export interface Changes {
  readonly names: readonly string[];
  /** Nothing else than ConfigMaps and Secrets, and images. */
  readonly isOfConfigs: boolean;
}

/**
 * What a release changes beside its images, by name and never by value: `env LOG_LEVEL`, `ConfigMap web (colour, size)`, `resources`.
 * In the order in which a reader of the manifests finds them.
 */
export function changesBetween(before: App, after: App): Changes {
  const judged = ({ target, targetKind }: App): Json => jsonOf(target && targets[targetKind].judged(target.object));
  const [old, now] = [judged(before), judged(after)];
  const isService = after.targetKind === 'Service';
  const ofTemplate = isService
    ? changedMembers(old, now).map((name) => `spec.${name}`)
    : templateChanges(podTemplateOf(old), podTemplateOf(now));
  const all = [...new Set([...ofTemplate, ...(isService ? [] : configChanges(before, after))])];
  const names = all.length <= limit ? all : [...all.slice(0, limit), `${all.length - limit} more`];
  return { names, isOfConfigs: ofTemplate.length === 0 };
}

/** Knative keeps its template under another name of the same shape. */
const podTemplateOf = (judged: Json): Json => (judged['template'] === undefined ? judged : jsonOf(judged['template']));

function templateChanges(before: Json, now: Json): string[] {
  const [old, spec] = [jsonOf(before['spec']), jsonOf(now['spec'])];
  const fields = changedMembers(old, spec).filter((name) => name !== 'containers' && name !== 'initContainers');
  const notes = (['labels', 'annotations'] as const).flatMap((field) =>
    changedMembers(at(before, 'metadata', field), at(now, 'metadata', field)).map(
      (name) => `${field.slice(0, -1)} ${name}`,
    ),
  );
  return [
    ...containerChanges(listOf(old['containers']), listOf(spec['containers'])),
    ...containerChanges(listOf(old['initContainers']), listOf(spec['initContainers'])),
    ...fields,
    ...notes,
  ];
}

function containerChanges(before: readonly Json[], now: readonly Json[]): string[] {
  const name = (container: Json): string => textOf(container['name']) ?? '';
  const isAlone = now.length <= 1 && before.length <= 1;
  const removed = before.filter((old) => now.every((one) => name(one) !== name(old)));
  return [
    ...now.flatMap((container) => {
      const old = before.find((one) => name(one) === name(container));
      if (!old) return [`container ${name(container)} added`];
      const of = isAlone ? '' : ` of ${name(container)}`;
      const fields = changedMembers(old, container).filter((field) => field !== 'image' && field !== 'env');
      return [...changedVariables(old['env'], container['env']).map((one) => `env ${one}`), ...fields].map(
        (change) => `${change}${of}`,
      );
    }),
    ...removed.map((old) => `container ${name(old)} removed`),
  ];
}

function changedVariables(before: unknown, now: unknown): string[] {
  const named = (list: unknown): Json =>
    Object.fromEntries(listOf(list).map((variable) => [textOf(variable['name']) ?? '', variable]));
  const changed = changedMembers(named(before), named(now));
  return changed.length === 0 && !sameJson(before, now) ? ['(order)'] : changed;
}

function configChanges(before: App, after: App): string[] {
  const key = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;
  const mapOf = ({ configs }: App): Map<string, KubeObject> =>
    new Map(configs.map(({ object }) => [key(object), object]));
  const [old, now] = [mapOf(before), mapOf(after)];
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((name) => {
    const [was, is] = [old.get(name), now.get(name)];
    if (!was) return [`${name} added`];
    if (!is) return [`${name} removed`];
    const keys = (['data', 'binaryData', 'stringData'] as const).flatMap((field) =>
      changedMembers(was[field], is[field]),
    );
    if (keys.length === 0) return [];
    const shown = [...new Set(keys)];
    const more = shown.length > 5 ? ` and ${shown.length - 5} more` : '';
    return [`${name} (${shown.slice(0, 5).join(', ')}${more})`];
  });
}

function changedMembers(before: unknown, now: unknown): string[] {
  const [old, next] = [new Map(Object.entries(jsonOf(before))), new Map(Object.entries(jsonOf(now)))];
  return [...new Set([...next.keys(), ...old.keys()])].filter((name) => !sameJson(old.get(name), next.get(name)));
}

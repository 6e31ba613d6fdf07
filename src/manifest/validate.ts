import { checkApiVersion } from './checks/api-version.ts';
import { checkConfig } from './checks/config.ts';
import type { Finding, ObjectCheck } from './checks/finding.ts';
import { checkNames } from './checks/names.ts';
import { checkAutoscaler, checkService } from './checks/service.ts';
import { checkWorkload } from './checks/workload.ts';
import { hintsOf } from './hints.ts';
import { nameOf } from './identity.ts';
import { type Manifest, type Problem, refOf } from './types.ts';

/** Looks at all objects together; joined to the built-in checks, e.g. what Canaries refer to. */
export type ManifestCheck = (manifests: readonly Manifest[]) => readonly Problem[];

const objectChecks: readonly ObjectCheck[] = [
  checkNames,
  checkApiVersion,
  checkConfig,
  checkWorkload,
  checkService,
  checkAutoscaler,
];

/** What can be said of the objects in Git without a cluster, by path and line. */
export function validateManifests(
  manifests: readonly Manifest[],
  extra: readonly ManifestCheck[] = [],
): readonly Problem[] {
  const problems = manifests.flatMap((manifest) =>
    objectChecks.flatMap((check) => check(manifest.object)).map((finding) => problemOf(manifest, finding)),
  );
  const all = [
    ...problems,
    ...manifests.flatMap(hintProblems),
    ...missingNamespaces(manifests),
    ...extra.flatMap((check) => check(manifests)),
  ];
  return all.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
}

function problemOf({ object, source }: Manifest, { field, message, hint, severity }: Finding): Problem {
  return {
    severity: severity ?? 'error',
    path: source.path,
    line: source.line,
    message: `${nameOf(refOf(object))} ${field}: ${message}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What is not done that annotations of other tools ask for, and objects that are not applied because of them. */
export function hintProblems({ object, source: { path, line } }: Manifest): readonly Problem[] {
  const { skip, told } = hintsOf(object);
  const texts = skip === undefined ? told : [skip];
  return texts.map((text) => ({ severity: 'warning', path, line, message: `${nameOf(refOf(object))} ${text}` }));
}

/** In every cluster. */
const givenNamespaces = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

function missingNamespaces(manifests: readonly Manifest[]): readonly Problem[] {
  const known = new Set(givenNamespaces);
  for (const { object } of manifests) {
    if (object.kind === 'Namespace' && object.apiVersion === 'v1') known.add(object.metadata.name);
  }
  const problems: Problem[] = [];
  for (const { object, source } of manifests) {
    const { namespace } = object.metadata;
    if (namespace === undefined || known.has(namespace)) continue;
    known.add(namespace);
    problems.push({
      severity: 'warning',
      path: source.path,
      line: source.line,
      message: `${nameOf(refOf(object))}: Git does not create the namespace ${namespace}`,
      hint: 'commit a Namespace, or be sure that it exists',
    });
  }
  return problems;
}

import { checkConfig } from './checks/config.ts';
import { createFieldsCheck, type KnownFields } from './checks/fields.ts';
import type { Finding, ObjectCheck } from './checks/finding.ts';
import { createKindCheck } from './checks/kinds.ts';
import { checkNames } from './checks/names.ts';
import { checkOthers } from './checks/others.ts';
import { checkReferences } from './checks/references.ts';
import { checkAutoscaler, checkService } from './checks/service.ts';
import { checkWorkload } from './checks/workload.ts';
import { hintsOf } from './hints.ts';
import { nameOf } from './identity.ts';
import type { LineFinder } from './locate.ts';
import { type KubeObject, type Manifest, type Problem, refOf } from './types.ts';

/** Looks at all objects together; joined to the built-in checks, e.g. what Canaries refer to. */
type ManifestCheck = (manifests: readonly Manifest[]) => readonly Problem[];

const objectChecks: readonly ObjectCheck[] = [
  checkNames,
  checkConfig,
  checkWorkload,
  checkService,
  checkAutoscaler,
  checkOthers,
];

/** What an API server refuses of one object of a built-in kind, apart from fields that cannot be read. */
export function refusalsOf(object: KubeObject): readonly Finding[] {
  return objectChecks.flatMap((check) => check(object)).filter(({ severity }) => severity !== 'warning');
}

export interface ValidateOptions {
  /** What the built-in kinds look like. */
  readonly known: KnownFields;
  /** More checks of all objects together. Absent: none. */
  readonly extra?: readonly ManifestCheck[];
  /** The line of a field. Absent: findings have the line of their object. */
  readonly lineOf?: LineFinder;
}

/** What can be said of the objects in Git without a cluster, by path and line. */
export function validateManifests(
  manifests: readonly Manifest[],
  { extra = [], known, lineOf }: ValidateOptions,
): readonly Problem[] {
  const checkFields = createFieldsCheck(known);
  const checkKind = createKindCheck(manifests, known);
  const problems = manifests.flatMap((manifest) => {
    const { object } = manifest;
    const found = [...checkKind(object), ...objectChecks.flatMap((check) => check(object))];
    const ofFields = checkFields(object);
    const all = [...found, ...ofFields.filter(({ field }) => !found.some((other) => isSamePlace(other.field, field)))];
    return all.map((finding) => problemOf(manifest, finding, lineOf));
  });
  const together = checkReferences(manifests).map(({ manifest, finding }) => problemOf(manifest, finding, lineOf));
  const all = [
    ...problems,
    ...together,
    ...manifests.flatMap(hintProblems),
    ...missingNamespaces(manifests),
    ...extra.flatMap((check) => check(manifests)),
  ];
  return all.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
}

/** One of them says of a place, or of a part of it, what the other says in other words. */
function isSamePlace(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}.`) || one.startsWith(`${other}[`);
}

/** Names and fields are others' and may be of any length. */
const longestMessage = 2_000;

function problemOf(
  { object, origin }: Manifest,
  { field, message, hint, severity }: Finding,
  lineOf: LineFinder | undefined,
): Problem {
  return {
    severity: severity ?? 'error',
    path: origin.path,
    line: lineOf?.(origin, field) ?? origin.line,
    message: `${nameOf(refOf(object))} ${field}: ${message}`.slice(0, longestMessage),
    place: { object: nameOf(refOf(object)), field },
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What is not done that annotations of other tools ask for, and objects that are not applied because of them. */
export function hintProblems({ object, origin: { path, line } }: Manifest): readonly Problem[] {
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
  for (const { object, origin } of manifests) {
    const { namespace } = object.metadata;
    if (namespace === undefined || known.has(namespace)) continue;
    known.add(namespace);
    problems.push({
      severity: 'warning',
      path: origin.path,
      line: origin.line,
      message: `${nameOf(refOf(object))}: Git does not create the namespace ${namespace}`,
      hint: 'commit a Namespace, or be sure that it exists',
    });
  }
  return problems;
}

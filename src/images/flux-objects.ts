import { namespacedName } from '../lib/key.ts';
import { type Fields, fieldsOf, isFields, listOf } from '../manifest/checks/finding.ts';
import type { LineFinder } from '../manifest/locate.ts';
import { groupOf, type Manifest, type Problem } from '../manifest/types.ts';
import { type ImagePolicy, plainly, type Selection, type TagFilter } from './policy.ts';
import { readRange } from './range.ts';
import { type ImageReference, readReference } from './reference.ts';
import { type Regex, readRegex } from './regex/regex.ts';
import { readWishes, withWishes } from './wishes.ts';

/** An ImagePolicy of Flux v2 together with its ImageRepository. */
export interface NamedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly manifest: Manifest;
  /** Without tag and digest. */
  readonly reference: ImageReference;
  readonly policy: ImagePolicy;
  /** Name of a Secret with the registry's credentials, in the repository's namespace. Absent: none is named. */
  readonly secret?: string;
}

/** An ImageUpdateAutomation: which files of which namespace's policies are changed. */
interface Automation {
  readonly namespace: string;
  readonly name: string;
  /** Folder from the repository's root; empty: all of it. */
  readonly path: string;
  readonly manifest: Manifest;
}

export interface FluxObjects {
  /** By `namespace/name`. */
  readonly policies: ReadonlyMap<string, NamedPolicy>;
  readonly automations: readonly Automation[];
  readonly problems: readonly Problem[];
}

const group = 'image.toolkit.fluxcd.io';
const apiVersion = /^image\.toolkit\.fluxcd\.io\/v1(?:beta[12])?$/;
/** What Flux passes over where nothing is said: signatures that lie beside an image. */
const defaultExclusions = ['^.*\\.sig$'];
const maxExclusions = 25;

/** Where Flux's own controllers run, both would write: so Git has to say who does. */
const takenOver = 'serin.dev/image-updates';

/** Whether an object is an automation that is this agent's, and not Flux's. */
export const isTakenOver = ({ object: { apiVersion, kind, metadata } }: Manifest): boolean =>
  kind === 'ImageUpdateAutomation' && groupOf(apiVersion) === group && metadata.annotations?.[takenOver] === 'true';

/** Something in an object cannot be read, or is not done here; `field` says where. */
class Unfit extends Error {
  readonly field: string;
  readonly severity: Problem['severity'];
  constructor(field: string, message: string, severity: Problem['severity'] = 'error') {
    super(message);
    this.field = field;
    this.severity = severity;
  }
}

/**
 * Reads ImageRepositories, ImagePolicies and ImageUpdateAutomations from Git; no Flux is needed in the cluster. One that cannot be read is told
 * with its line, and nothing is upgraded by it.
 */
export function readFluxObjects(manifests: readonly Manifest[], lineOf: LineFinder): FluxObjects {
  const problems: Problem[] = [];
  const each = (kind: string, read: (manifest: Manifest) => void): void => {
    for (const manifest of manifests) {
      const { object, origin } = manifest;
      if (object.kind !== kind || groupOf(object.apiVersion) !== group) continue;
      try {
        if (!apiVersion.test(object.apiVersion))
          throw new Unfit('apiVersion', `the version ${object.apiVersion} is not known`);
        read(manifest);
      } catch (error) {
        if (!(error instanceof Unfit)) throw error;
        const { field, message, severity } = error;
        const line = lineOf(origin, field) ?? origin.line;
        problems.push({
          severity,
          path: origin.path,
          line,
          message: `${kind} ${object.metadata.name} ${field}: ${message}`,
        });
      }
    }
  };
  const repositories = new Map<string, Repository>();
  each('ImageRepository', (manifest) => repositories.set(keyOf(manifest), readRepository(manifest)));
  const policies = new Map<string, NamedPolicy>();
  each('ImagePolicy', (manifest) => policies.set(keyOf(manifest), readPolicy(manifest, repositories)));
  const automations: Automation[] = [];
  each('ImageUpdateAutomation', (manifest) => automations.push(readAutomation(manifest)));
  return { policies, automations, problems };
}

interface Repository {
  readonly reference: ImageReference;
  readonly exclusions: readonly Regex[];
  readonly secret?: string;
  readonly isSuspended: boolean;
}

const namespaceOf = ({ object }: Manifest): string => object.metadata.namespace ?? 'default';
const keyOf = (manifest: Manifest): string =>
  namespacedName({ namespace: namespaceOf(manifest), name: manifest.object.metadata.name });

function readRepository({ object }: Manifest): Repository {
  const spec = fieldsOf(object, 'spec');
  const image = textAt(spec, 'image', 'spec.image');
  if (image === undefined) throw new Unfit('spec.image', 'is missing');
  const reference = readReference(image);
  if ('problem' in reference) throw new Unfit('spec.image', reference.problem);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new Unfit('spec.image', 'has a tag or a digest; write the name alone');
  const { exclusionList = defaultExclusions } = spec;
  if (!Array.isArray(exclusionList) || exclusionList.length > maxExclusions)
    throw new Unfit('spec.exclusionList', `is no list of at most ${maxExclusions} expressions`);
  const exclusions = exclusionList.map((text: unknown, index) => expressionAt(text, `spec.exclusionList[${index}]`));
  const secret = textAt(fieldsOf(spec, 'secretRef'), 'name', 'spec.secretRef.name');
  return { reference, exclusions, isSuspended: spec['suspend'] === true, ...(secret === undefined ? {} : { secret }) };
}

function readPolicy(manifest: Manifest, repositories: ReadonlyMap<string, Repository>): NamedPolicy {
  const { object } = manifest;
  const spec = fieldsOf(object, 'spec');
  const namespace = namespaceOf(manifest);
  const { name } = object.metadata;
  const repository = repositoryOf(spec, namespace, repositories);
  if (repository.isSuspended || spec['suspend'] === true)
    throw new Unfit('spec', 'is suspended, or its ImageRepository is: nothing is upgraded', 'warning');
  const wishes = readWishes(object.metadata.annotations ?? {});
  const [wrong] = wishes.wrong;
  if (wrong) throw new Unfit(`metadata.annotations["${wrong.annotation}"]`, wrong.problem);
  const policy = { ...policyIn(spec), exclusions: repository.exclusions };
  const { reference, secret } = repository;
  return {
    namespace,
    name,
    manifest,
    reference,
    policy: withWishes(policy, wishes),
    ...(secret === undefined ? {} : { secret }),
  };
}

function policyIn(spec: Fields): ImagePolicy {
  const { selection, text } = selectionOf(fieldsOf(spec, 'policy'));
  const filter = filterOf(spec['filterTags']);
  const digest = digestOf(spec['digestReflectionPolicy']);
  return { ...plainly, digest, text, selection, ...(filter ? { filter } : {}) };
}

/** The policy that an ImagePolicy, its spec, or the part `policy` of that alone says; or what is wrong with it. */
export function policyOfSpec(value: unknown): ImagePolicy | { readonly problem: string } {
  if (!isFields(value)) return { problem: 'is no map' };
  const { kind } = value;
  if (kind !== undefined && kind !== 'ImagePolicy') return { problem: 'the object is no ImagePolicy' };
  const spec = kind === undefined ? value : fieldsOf(value, 'spec');
  try {
    return policyIn(isFields(spec['policy']) ? spec : { policy: spec });
  } catch (error) {
    if (error instanceof Unfit) return { problem: `${error.field}: ${error.message}` };
    throw error;
  }
}

function repositoryOf(spec: Fields, namespace: string, repositories: ReadonlyMap<string, Repository>): Repository {
  const ref = fieldsOf(spec, 'imageRepositoryRef');
  const name = textAt(ref, 'name', 'spec.imageRepositoryRef.name');
  if (name === undefined) throw new Unfit('spec.imageRepositoryRef', 'names no ImageRepository');
  const other = textAt(ref, 'namespace', 'spec.imageRepositoryRef.namespace');
  // Flux asks the repository's accessFrom, which selects namespaces by labels that Git need not have.
  if (other !== undefined && other !== namespace)
    throw new Unfit(
      'spec.imageRepositoryRef.namespace',
      'an ImageRepository of another namespace is not used here; write one beside the policy',
    );
  const repository = repositories.get(namespacedName({ namespace, name }));
  if (!repository)
    throw new Unfit(
      'spec.imageRepositoryRef.name',
      `there is no ImageRepository ${namespacedName({ namespace, name: name.slice(0, 80) })} that can be used`,
    );
  return repository;
}

const orders = ['asc', 'desc'] as const;

function selectionOf(policy: Fields): { readonly selection: Selection; readonly text: string } {
  const kinds = (['semver', 'numerical', 'alphabetical'] as const).filter((kind) => isFields(policy[kind]));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1)
    throw new Unfit('spec.policy', 'has to be one of semver, numerical and alphabetical');
  const choice = fieldsOf(policy, kind);
  if (kind === 'semver') {
    const text = textAt(choice, 'range', 'spec.policy.semver.range') ?? '';
    const range = readRange(text);
    if ('problem' in range) throw new Unfit('spec.policy.semver.range', `cannot be read: ${range.problem}`);
    return { selection: { kind, range, form: 'strict', prereleases: 'semver' }, text: `semver:${text}` };
  }
  const { order: written = 'asc' } = choice;
  const order = orders.find((one) => one === written);
  if (!order) throw new Unfit(`spec.policy.${kind}.order`, 'is neither asc nor desc');
  return { selection: { kind, order }, text: `${kind} ${order}` };
}

function filterOf(value: unknown): TagFilter | undefined {
  if (!isFields(value)) return undefined;
  const text = textAt(value, 'pattern', 'spec.filterTags.pattern');
  const extract = textAt(value, 'extract', 'spec.filterTags.extract');
  if (text === undefined || text === '') {
    if (extract === undefined || extract === '') return undefined;
    throw new Unfit('spec.filterTags', 'has something to extract, and no pattern');
  }
  const regex = expressionAt(text, 'spec.filterTags.pattern');
  return { text, regex, ...(extract === undefined || extract === '' ? {} : { extract: extract.slice(0, 200) }) };
}

const digests: ReadonlyMap<unknown, ImagePolicy['digest']> = new Map([
  [undefined, 'never'],
  ['Never', 'never'],
  ['IfNotPresent', 'with-tag'],
  ['Always', 'always'],
] as const);

function digestOf(value: unknown): ImagePolicy['digest'] {
  const digest = digests.get(value);
  if (digest === undefined) throw new Unfit('spec.digestReflectionPolicy', 'is none of Never, IfNotPresent, Always');
  return digest;
}

function readAutomation(manifest: Manifest): Automation {
  const spec = fieldsOf(manifest.object, 'spec');
  if (spec['suspend'] === true) throw new Unfit('spec.suspend', 'is suspended: nothing is upgraded by it', 'warning');
  const git = fieldsOf(spec, 'git');
  const pushed = fieldsOf(git, 'push')['branch'];
  if (pushed !== undefined && pushed !== fieldsOf(fieldsOf(git, 'checkout'), 'ref')['branch'])
    throw new Unfit(
      'spec.git.push.branch',
      'is not what spec.git.checkout.ref.branch says, and only the branch that is checked out is written to here',
    );
  const update = fieldsOf(spec, 'update');
  const { strategy = 'Setters' } = update;
  if (strategy !== 'Setters') throw new Unfit('spec.update.strategy', 'is not Setters');
  if (
    listOf(fieldsOf(spec, 'policySelector'), 'matchExpressions').length > 0 ||
    isFields(fieldsOf(spec, 'policySelector')['matchLabels'])
  )
    throw new Unfit('spec.policySelector', 'is not read here; leave it out, or divide the policies by namespaces');
  const path = textAt(update, 'path', 'spec.update.path') ?? '';
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Unfit('spec.update.path', 'leads out of the repository');
  return { namespace: namespaceOf(manifest), name: manifest.object.metadata.name, path: parts.join('/'), manifest };
}

function expressionAt(text: unknown, field: string): Regex {
  if (typeof text !== 'string') throw new Unfit(field, 'is no text');
  const regex = readRegex(text);
  if ('problem' in regex) throw new Unfit(field, `cannot be read: ${regex.problem}`);
  return regex;
}

function textAt(fields: Fields, name: string, field: string): string | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw new Unfit(field, 'is no text');
}

/** An image by its whole name: `docker.io/library/nginx` at a tag, a digest or both. */
export interface ImageReference {
  /** Host with port, as `docker.io`, `localhost:5000`, `[::1]:5000`. Docker Hub is always `docker.io`. */
  readonly registry: string;
  /** Path in it, as `library/nginx`. */
  readonly repository: string;
  /** Absent: none is written. */
  readonly tag?: string;
  /** `sha256:…`; absent: none is written. */
  readonly digest?: string;
}

/** What is read of a text, or why it names no image. */
export type ReadReference = ImageReference | { readonly problem: string };

/** No registry takes a longer one: 255 for the name, 128 for the tag, the rest for the digest. */
const maxLength = 640;
const maxNameLength = 255;
const dockerHub = 'docker.io';

const tagShape = /^\w[\w.-]{0,127}$/;
const digestLengths: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathShape = new RegExp(`^${component}(?:/${component})*$`);
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const hostShape = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::\\d+)?$`);

/** Whether a registry could have such a tag: letters, digits, `_`, `.` and `-`, at most 128. */
export const isTag = (text: string): boolean => tagShape.test(text);

/** Whether a text is a digest of an algorithm that is known, in small letters. */
export function isDigest(text: string): boolean {
  const [algorithm = '', hex = '', ...more] = text.split(':');
  return more.length === 0 && hex.length === digestLengths.get(algorithm) && /^[a-f0-9]+$/.test(hex);
}

/**
 * Reads an image as container runtimes do: `nginx` is `docker.io/library/nginx`, and what stands before the first slash is a registry where
 * it has a dot, a colon or a capital letter, or is `localhost`. Takes time in proportion to the text.
 */
export function readReference(text: string): ReadReference {
  if (text === '') return { problem: 'it is empty' };
  if (/^[a-f0-9]{64}$/.test(text)) return { problem: 'it looks like the id of an image, not like a name' };
  if (text.length > maxLength) return { problem: `it is longer than ${maxLength} letters` };
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return { problem: 'what follows "@" is no digest like sha256:…' };
  const rest = at < 0 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const tag = colon > rest.lastIndexOf('/') ? rest.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag))
    return { problem: 'what follows ":" is no tag (letters, digits, "_", "." and "-", at most 128)' };
  const name = tag === undefined ? rest : rest.slice(0, colon);
  const parts = partsOf(name);
  if ('problem' in parts) return parts;
  return { ...parts, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function partsOf(name: string): { readonly registry: string; readonly repository: string } | { problem: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const registry = !isHost || first === 'index.docker.io' ? dockerHub : first;
  const path = isHost ? name.slice(slash + 1) : name;
  const repository = registry === dockerHub && path !== '' && !path.includes('/') ? `library/${path}` : path;
  if (!hostShape.test(registry)) return { problem: 'what stands before the first "/" is no registry' };
  if (/[A-Z]/.test(path)) return { problem: 'the name has capital letters' };
  if (!pathShape.test(path))
    return { problem: 'the name has other signs than small letters, digits, ".", "_", "-", "/"' };
  if (repository.length > maxNameLength) return { problem: `the name is longer than ${maxNameLength} letters` };
  return { registry, repository };
}

/** `docker.io/library/nginx`: one text for each repository, however it is written. */
export const repositoryOf = ({ registry, repository }: Pick<ImageReference, 'registry' | 'repository'>): string =>
  `${registry}/${repository}`;

/** As people write it: `nginx:1.27`, `ghcr.io/stefanprodan/podinfo:6.1.0@sha256:…`. */
export function showReference(reference: ImageReference): string {
  const { registry, repository, tag, digest } = reference;
  const short = repository.replace(/^library\/(?=[^/]+$)/, '');
  const name = registry === dockerHub ? (isHostLike(short) ? `${dockerHub}/${short}` : short) : repositoryOf(reference);
  return `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

const isHostLike = (path: string): boolean => {
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  return /[.:A-Z]/.test(first) || first === 'localhost';
};

/**
 * An image text with another tag, and with that digest or none; the name stays as it is written. The text has to be one that
 * `readReference` reads.
 */
export function withTag(text: string, tag: string, digest?: string): string {
  const [rest = ''] = text.split('@');
  const colon = rest.lastIndexOf(':');
  const name = colon > rest.lastIndexOf('/') ? rest.slice(0, colon) : rest;
  return `${name}:${tag}${digest === undefined ? '' : `@${digest}`}`;
}

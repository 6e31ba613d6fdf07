import { namespacedName } from '../lib/key.ts';
import { nearest } from '../lib/nearest.ts';
import type { Problem } from '../manifest/types.ts';
import type { FluxObjects, NamedPolicy } from './flux-objects.ts';
import type { Picked } from './pick.ts';
import { readReference, showReference, withTag } from './reference.ts';

/** Which part of an image stands before a comment of Flux. */
type SetterPart = 'image' | 'name' | 'tag' | 'digest';

/** A value that a comment `# {"$imagepolicy": "NAMESPACE:NAME:tag"}` gives to a policy. */
export interface Setter {
  readonly path: string;
  /** One-based. */
  readonly line: number;
  /** `namespace/name` of the ImagePolicy. */
  readonly policy: string;
  readonly part: SetterPart;
  /** What stands there now. */
  readonly value: string;
}

export interface ReadSetters {
  readonly setters: readonly Setter[];
  readonly problems: readonly Problem[];
}

const mark = '$imagepolicy';
/** Longer lines hold no image. */
const maxLineLength = 2_000;
const parts: ReadonlyMap<string | undefined, SetterPart> = new Map([
  [undefined, 'image'],
  ['name', 'name'],
  ['tag', 'tag'],
  ['digest', 'digest'],
]);

/** The marked values of a file, line by line; a comment that cannot be read is told. Linear. */
export function readSetters(path: string, text: string): ReadSetters {
  const setters: Setter[] = [];
  const problems: Problem[] = [];
  if (!text.includes(mark)) return { setters, problems };
  for (const [index, content] of text.split('\n').entries()) {
    if (!content.includes(mark)) continue;
    const line = index + 1;
    const setter = readLine(content);
    if (typeof setter === 'string')
      problems.push({ severity: 'error', path, line, message: `the comment with ${mark}: ${setter}` });
    else if (setter) setters.push({ path, line, ...setter });
  }
  return { setters, problems };
}

/** A setter, why it is none, or undefined where nobody meant one. */
function readLine(line: string): Omit<Setter, 'path' | 'line'> | string | undefined {
  if (line.length > maxLineLength) return 'the line is too long';
  const at = line.search(/#[ \t]*\{[ \t]*"\$imagepolicy"/);
  // A text that speaks of such comments.
  if (at < 0 || line.slice(0, at).trim() === '') return undefined;
  const comment = /^#[ \t]*\{[ \t]*"\$imagepolicy"[ \t]*:[ \t]*"([^"]*)"[ \t]*\}\s*$/.exec(line.slice(at));
  if (!comment) return 'it is not like {"$imagepolicy": "NAMESPACE:NAME:tag"}';
  const [namespace = '', name = '', suffix, ...more] = (comment[1] ?? '').split(':');
  const part = parts.get(suffix);
  if (namespace === '' || name === '' || part === undefined || more.length > 0)
    return 'it is not like "NAMESPACE:NAME", with :name, :tag or :digest behind it or nothing';
  const scalar = scalarIn(line.slice(0, at));
  if (!scalar) return 'no plain or quoted text stands before it on its line';
  return { policy: namespacedName({ namespace, name }), part, value: scalar.value };
}

interface Scalar {
  readonly value: string;
  /** Where its text begins and ends in the line, quotes not counted. */
  readonly from: number;
  readonly to: number;
  readonly quote: '' | '"' | "'";
}

/** The text at the end of `key: text`, `- text` or `- key: text`. Nothing that needs escapes: no image has any. */
function scalarIn(before: string): Scalar | undefined {
  let end = before.length;
  while (end > 0 && /\s/.test(before[end - 1] ?? '')) end -= 1;
  if (end === before.length) return undefined;
  const text = before.slice(0, end);
  const last = text.at(-1);
  const quote = last === '"' || last === "'" ? last : '';
  const begin =
    quote === '' ? Math.max(text.lastIndexOf(' '), text.lastIndexOf('\t')) + 1 : text.lastIndexOf(quote, end - 2);
  if (begin < 0) return undefined;
  const [from, to] = quote === '' ? [begin, end] : [begin + 1, end - 1];
  const value = text.slice(from, to);
  const lead = text.slice(0, begin);
  if (!/(?:^|[ \t])(?:-|[\w."'/-]+[ \t]*:)[ \t]+$/.test(lead.slice(-200)) || !/^[\w./:@+[\]-]*$/.test(value))
    return undefined;
  if (quote === '' && value === '') return undefined;
  return { value, from, to, quote };
}

/** Setters by the policy that they obey, and what is wrong with the others. */
export interface AssignedSetters {
  readonly byPolicy: ReadonlyMap<NamedPolicy, readonly Setter[]>;
  readonly problems: readonly Problem[];
}

/** As Flux: a file is changed by an automation of the policy's namespace whose path it lies under, and by no other. */
export function assignSetters(setters: readonly Setter[], { policies, automations }: FluxObjects): AssignedSetters {
  const byPolicy = new Map<NamedPolicy, Setter[]>();
  const problems: Problem[] = [];
  for (const setter of setters) {
    const { path, line } = setter;
    const policy = policies.get(setter.policy);
    const tell = (message: string, hint: string): void =>
      void problems.push({ severity: 'warning', path, line, message, hint });
    if (!policy) {
      const meant = nearest(setter.policy, [...policies.keys()]);
      const hint = meant === undefined ? 'write one, or take the comment away' : `did you mean ${meant}?`;
      tell(`there is no ImagePolicy ${setter.policy.slice(0, 120)} that can be used`, hint);
      continue;
    }
    const isCovered = automations.some(
      (one) =>
        one.namespace === policy.namespace && (one.path === '' || path === one.path || path.startsWith(`${one.path}/`)),
    );
    if (!isCovered) {
      tell(
        `no ImageUpdateAutomation of namespace ${policy.namespace} covers this file`,
        'write one whose spec.update.path does',
      );
      continue;
    }
    const wrong = mismatch(setter, policy);
    if (wrong !== undefined) tell(wrong, 'write the repository of the ImageRepository, or another policy');
    else byPolicy.set(policy, [...(byPolicy.get(policy) ?? []), setter]);
  }
  return { byPolicy, problems };
}

/** A whole image of another repository would be exchanged for one that its policy does not look at. */
function mismatch({ part, value }: Setter, { reference }: NamedPolicy): string | undefined {
  if (part !== 'image' && part !== 'name') return undefined;
  const written = readReference(value);
  if ('problem' in written) return `"${value.slice(0, 120)}" is no image: ${written.problem}`;
  const isSame = written.registry === reference.registry && written.repository === reference.repository;
  return isSame ? undefined : `the policy is of ${showReference(reference)}, and here stands ${value.slice(0, 120)}`;
}

/** What a marked value is to be; undefined: it stays. */
export function settled({ part, value }: Setter, picked: Picked): string | undefined {
  switch (part) {
    case 'image':
      return withTag(value, picked.tag, picked.digest);
    case 'tag':
      return picked.tag;
    case 'digest':
      return picked.digest;
    case 'name':
      return undefined;
  }
}

/**
 * A file with marked values changed, each by its line; nothing else of it. Undefined where a line no more says what was read: then it has to
 * be read anew.
 */
export function withSetters(
  text: string,
  changes: readonly { readonly setter: Setter; readonly value: string }[],
): string | undefined {
  const lines = text.split('\n');
  for (const { setter, value } of changes) {
    const line = lines[setter.line - 1] ?? '';
    const now = readLine(line);
    if (
      typeof now !== 'object' ||
      now.policy !== setter.policy ||
      now.part !== setter.part ||
      now.value !== setter.value
    )
      return undefined;
    const scalar = scalarIn(line.slice(0, line.search(/#[ \t]*\{[ \t]*"\$imagepolicy"/)));
    if (!scalar) return undefined;
    lines[setter.line - 1] = `${line.slice(0, scalar.from)}${written(value, scalar)}${line.slice(scalar.to)}`;
  }
  return lines.join('\n');
}

/** What YAML reads as something else than a text: 1.10 would become 1.1. */
const noText =
  /^(?:[-+]?\.?\d[\d_]*(?:\.[\d_]*)?(?:e[-+]?\d+)?|0x[\da-f_]+|0o?[0-7_]+|0b[01_]+|\d{4}-\d{1,2}-\d{1,2}|true|false|yes|no|on|off|null|y|n)$/i;

const written = (value: string, { quote }: Scalar): string =>
  quote === '' && noText.test(value) ? JSON.stringify(value) : value;

import { findApps } from '../canary/app.ts';
import { perObject } from '../lib/memo.ts';
import { keyOf } from '../lib/key.ts';
import { answered, type Steps } from '../lib/turns.ts';
import { identityOf, nameOf } from '../manifest/identity.ts';
import { fileOfUnit, type Manifest, placesOf, refOf, unitOf } from '../manifest/types.ts';
import { namesIn } from '../manifest/unread-words.ts';
import { indexed } from '../render/object-index.ts';
import { othersOf, type TreeFiles } from '../render/tree-files.ts';
import type { RenderedApp, RenderedTree } from './rendered.ts';
import type { AppId } from './types.ts';

/** Whether what cannot be read of a tree may hold an object of this name, of the tenant whose file stands at the path. */
export const namedUnread = perObject(
  ({ unreadableText, unreadableTextBeside = () => unreadableText }: RenderedTree) => {
    const known = new Map<string, (name: string) => boolean>();
    return (path: string, name: string): boolean => {
      const text = unreadableTextBeside(path);
      const isNamed = known.get(text) ?? namesIn(text);
      known.set(text, isNamed);
      return isNamed(name);
    };
  },
);

/**
 * Why an app that was judged is not found in a tree, although it may stand there as it was: a document of it cannot be read, or is not
 * rendered now, and those that are read are as they were. Undefined: all of it is read, it is gone, or it is something else.
 */
export function* unreadIn(files: TreeFiles, tree: RenderedTree, judged: RenderedApp): Steps<string | undefined> {
  const { byIdentity } = yield* indexed(tree);
  const documents: Manifest[] = [];
  let reason: string | undefined;
  for (const manifest of [judged.canary, ...judged.documents]) {
    const now = byIdentity.get(identityOf(manifest.object));
    const why = now ? undefined : (whyUnread(manifest, tree) ?? (yield* noFileAt(manifest, files)));
    if (now) documents.push(now);
    else if (why !== undefined) documents.push(manifest);
    reason ??= why;
  }
  if (reason === undefined) return undefined;
  const [app] = yield* findApps(documents, judged.id.namespace);
  return app?.content === judged.content ? reason : undefined;
}

/**
 * Why it is not known whether an app stands in a tree as it was judged, where nobody knows any more what that was: something of what it was
 * made of before cannot be read, or is not rendered now. Undefined: all of that is read, or is gone.
 */
export function* unreadOf(
  files: TreeFiles,
  tree: RenderedTree,
  app: AppId,
  before: RenderedApp | undefined,
): Steps<string | undefined> {
  const { byIdentity } = yield* indexed(tree);
  for (const manifest of before ? [before.canary, ...before.documents] : []) {
    if (byIdentity.has(identityOf(manifest.object))) continue;
    const why = whyUnread(manifest, tree) ?? (yield* noFileAt(manifest, files));
    if (why !== undefined) return why;
  }
  const isUnknown = before === undefined && namesIn(tree.unreadableText)(app.name);
  return isUnknown ? `${keyOf(app)} may stand in a file that cannot be read` : undefined;
}

/** Why it is not known that an object which is not found is gone; undefined: it is. The prune asks the same. */
function whyUnread({ object, origin }: Manifest, tree: RenderedTree): string | undefined {
  for (const place of placesOf(unitOf(origin))) {
    const stray = tree.strays.get(place);
    if (stray) return `${stray.describedIn ?? fileOfUnit(place)} ${stray.what}`;
    if (tree.unreadablePaths.has(place)) return `${fileOfUnit(place)} cannot be read or rendered`;
  }
  return namedUnread(tree)(origin.path, object.metadata.name)
    ? `${nameOf(refOf(object))} may stand in a file that cannot be read`
    : undefined;
}

/** A link may stand where the file was. */
function* noFileAt({ origin }: Manifest, files: TreeFiles): Steps<string | undefined> {
  const path = fileOfUnit(unitOf(origin));
  const other = files.has(path) ? undefined : othersOf(files)?.find(path);
  const found = other && (yield* answered(other));
  return found && `${path} is no file of manifests`;
}

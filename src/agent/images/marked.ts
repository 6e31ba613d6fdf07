import { type FluxObjects, isTakenOver, type NamedPolicy, readFluxObjects } from '../../images/flux-objects.ts';
import { placesOf, podSpecOf } from '../../images/places.ts';
import { readReference, repositoryOf, withTag } from '../../images/reference.ts';
import { assignSetters, readSetters, type Setter, settled, withSetters } from '../../images/setters.ts';
import type { Due } from '../../images/upgrade.ts';
import type { Steps } from '../../lib/turns.ts';
import { identityKey, identityOf } from '../../manifest/identity.ts';
import type { LineFinder } from '../../manifest/locate.ts';
import { groupOf, isOfPlace, type Manifest } from '../../manifest/types.ts';
import { wantedKey } from './listings.ts';
import { accessOf } from './pull-secrets.ts';
import {
  platformsOf,
  type TargetedApp,
  targetsAmong,
  type WatchedApp,
  type WatchedContainer,
  watchedName,
} from './watched.ts';

const noLines: LineFinder = () => undefined;

/** Of the objects by which Flux v2 is told of images. */
export const imageGroup = 'image.toolkit.fluxcd.io';

/** What Flux v2's objects say of images, as far as their automations are this agent's; undefined: nothing is upgraded by them. `lineOf`: for their problems. */
export function fluxIn(manifests: readonly Manifest[], lineOf: LineFinder = noLines): FluxObjects | undefined {
  const objects = manifests.filter(({ object }) => groupOf(object.apiVersion) === imageGroup);
  if (!objects.some(isTakenOver)) return undefined;
  const { policies, automations, problems } = readFluxObjects(objects, lineOf);
  return { policies, automations: automations.filter(({ manifest }) => isTakenOver(manifest)), problems };
}

/** Whether a file may be changed by one of the automations. */
export const isCovered = ({ automations }: FluxObjects, file: string): boolean =>
  automations.some(({ path }) => path === '' || file === path || file.startsWith(`${path}/`));

/** The apps whose images are marked with comments of Flux v2, by name. `texts`: of the files with such comments. */
export function markedApps(
  flux: FluxObjects,
  texts: ReadonlyMap<string, string>,
  manifests: readonly Manifest[],
  apps: readonly TargetedApp[],
): ReadonlyMap<string, WatchedApp> {
  const setters = [...texts].flatMap(([path, text]) => readSetters(path, text).setters);
  const targetsOf = targetsAmong(apps);
  const found = new Map<string, WatchedApp>();
  for (const [policy, marked] of assignSetters(setters, flux).byPolicy) {
    const byOwner = new Map<Manifest, Setter[]>();
    for (const setter of marked) {
      const owner = ownerOf(setter, policy, manifests);
      if (owner) byOwner.set(owner, [...(byOwner.get(owner) ?? []), setter]);
    }
    for (const [owner, own] of byOwner) {
      const container = containerOf(policy, owner, own);
      if (!container) continue;
      const { object } = owner;
      const canaries = targetsOf(owner).map(({ id }) => id);
      const namespace = object.metadata.namespace ?? policy.namespace;
      const app: WatchedApp = {
        id: canaries[0] ?? { namespace, name: object.metadata.name },
        canaries,
        object: identityOf(object),
        containers: [container],
        ...platformsOf(podSpecOf(targetsOf(owner)[0]?.target?.object ?? object)),
      };
      const name = watchedName(app);
      const before = found.get(name);
      found.set(name, before ? { ...before, containers: [...before.containers, container] } : app);
    }
  }
  return found;
}

/** The object whose image a marked value is: the one that it stands in, or the one that the kustomization makes with it. */
function ownerOf({ path, line }: Setter, policy: NamedPolicy, manifests: readonly Manifest[]): Manifest | undefined {
  const around = manifests.filter(
    ({ origin }) => origin.path === path && origin.line <= line && origin.renderer !== 'helm',
  );
  const last = around.toSorted((a, b) => a.origin.line - b.origin.line).at(-1);
  if (last) return last;
  const made = manifests.filter((manifest) => isOfPlace(manifest.origin, path) && hasImageOf(manifest, policy));
  // Of several it cannot be told whose release it would be.
  return made.length === 1 ? made[0] : undefined;
}

const hasImageOf = ({ object }: Manifest, { reference }: NamedPolicy): boolean =>
  (placesOf(object) ?? []).some(({ image }) => {
    const read = readReference(image);
    return !('problem' in read) && repositoryOf(read) === repositoryOf(reference);
  });

function containerOf(
  { name, namespace, reference, policy, secret }: NamedPolicy,
  manifest: Manifest,
  setters: readonly Setter[],
): WatchedContainer | undefined {
  const whole = setters.find(({ part }) => part === 'image')?.value;
  const parts = {
    tag: setters.find(({ part }) => part === 'tag')?.value,
    digest: setters.find(({ part }) => part === 'digest')?.value,
  };
  const image =
    whole ?? (parts.tag === undefined ? undefined : withTag(repositoryOf(reference), parts.tag, parts.digest));
  const current = image === undefined ? undefined : readReference(image);
  if (image === undefined || !current || 'problem' in current) return undefined;
  // Marked values that differ are not of one image.
  if (
    setters.some(
      ({ part, value }) => (part === 'tag' && value !== current.tag) || (part === 'image' && value !== whole),
    )
  )
    return undefined;
  const access = accessOf(namespace, secret === undefined ? {} : { imagePullSecrets: [{ name: secret }] });
  const wanted = { reference, access };
  const place = { container: name, image, fields: { image: '' } };
  return { manifest, place, reference: current, policy, wanted, key: wantedKey(wanted), setters };
}

/** The same app on another tip, where its values are marked in the same files. */
export function* markedAt(
  app: WatchedApp,
  { manifests, apps }: { readonly manifests: readonly Manifest[]; readonly apps: readonly TargetedApp[] },
  textOf: (path: string) => Steps<string | undefined>,
): Steps<WatchedApp | undefined> {
  const flux = fluxIn(manifests);
  if (!flux) return undefined;
  const texts = new Map<string, string>();
  for (const path of new Set(app.containers.flatMap(({ setters = [] }) => setters.map((setter) => setter.path)))) {
    const text = yield* textOf(path);
    if (text !== undefined) texts.set(path, text);
  }
  return markedApps(flux, texts, manifests, apps).get(watchedName(app));
}

/** Files with the marked values of what is due. Undefined: one of them is not as it was read. */
export function* markedFiles(
  app: { readonly containers: readonly Pick<WatchedContainer, 'place' | 'setters'>[] },
  due: readonly Pick<Due, 'container' | 'to'>[],
  textOf: (path: string) => Steps<string | undefined>,
): Steps<ReadonlyMap<string, string> | undefined> {
  const files = new Map<string, string>();
  for (const { container, to } of due) {
    const picked = readReference(to);
    if ('problem' in picked || picked.tag === undefined) return undefined;
    const { tag, digest } = picked;
    for (const { place, setters = [] } of app.containers) {
      if (place.container !== container) continue;
      for (const setter of setters) {
        const value = settled(setter, { tag, ...(digest === undefined ? {} : { digest }) });
        if (value === undefined || value === setter.value) continue;
        const before = files.get(setter.path) ?? (yield* textOf(setter.path));
        const after = before === undefined ? undefined : withSetters(before, [{ setter, value }]);
        if (after === undefined) return undefined;
        files.set(setter.path, after);
      }
    }
  }
  return files;
}

/** What may change with the marked values of an app: its own object, and what is made of it. */
export function touchedBy(app: Pick<WatchedApp, 'object'>, manifests: readonly Manifest[]): ReadonlySet<string> {
  const made = manifests.filter(
    ({ origin }) => origin.renderer === 'helm' && identityKey(origin.release) === app.object,
  );
  return new Set([app.object, ...made.map(({ object }) => identityOf(object))]);
}

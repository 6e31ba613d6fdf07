import { accessOf, type PullSecrets } from '../images/pull-secrets.ts';
import { type ImagePlace, placesOf, podSpecOf } from '../../images/places.ts';
import { type ImageReference, readReference, repositoryOf, withTag } from '../../images/reference.ts';
import { newestFirst } from '../../images/version.ts';
import { messageOf } from '../../lib/errors.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import { LatestUsed } from '../../lib/latest-used.ts';
import { plainText } from '../../lib/plain-text.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { heldBy, type Ledger } from '../../release/ledger.ts';
import type { ImageFacts } from '../../ui/questions.ts';
import { UiError } from '../../ui/told.ts';
import type { Look } from '../images/look.ts';
import type { Pipeline } from '../source/pipeline.ts';

export interface ImageParts {
  /** Undefined: no registry is asked. */
  readonly registry: RegistryClient | undefined;
  readonly pullSecrets: PullSecrets;
  readonly pipelineOf: (app: AppKey) => Pipeline;
  readonly elapsedMs: () => number;
}

/** What registries say when a person looks, with the credentials of the workload. */
export interface AppImages {
  images(app: AppKey): Promise<readonly ImageFacts[]>;
  /** The digest of a tag of a container's repository; a text says why it is not known. */
  digest(app: AppKey, container: string, tag: string): Promise<{ readonly digest: string | null } | string>;
  /** How a container's policy looks at it. Undefined: it has none. */
  lookOf(app: AppKey, container: string): Look | undefined;
}

const mostTags = 200;
const mostContainers = 10;
const freshMs = 30_000;
const mostLists = 500;

export function createImages(
  { registry, pullSecrets, pipelineOf, elapsedMs }: ImageParts,
  signal: AbortSignal,
): AppImages {
  const lists = new LatestUsed<{ readonly atMs: number; readonly tags: Promise<readonly string[] | string> }>(
    mostLists,
  );
  const workloadOf = (app: AppKey): KubeObject => {
    const found = pipelineOf(app).app(app);
    if (!found?.target) throw new UiError(404, 'Git has no workload of this app.');
    return found.target.object;
  };
  const askingFor = async (workload: KubeObject) => {
    const access = accessOf(workload.metadata.namespace ?? '', podSpecOf(workload));
    const credentials = await pullSecrets.read(access, signal);
    return { scope: access.scope, asking: credentials ? { credentials } : {} };
  };
  const tagsOf = async (workload: KubeObject, reference: ImageReference): Promise<readonly string[] | string> => {
    if (!registry) return 'no registry is asked here';
    const { scope, asking } = await askingFor(workload);
    // What one namespace may see of a registry is not shown to another.
    const key = `${repositoryOf(reference)} ${scope}`;
    const known = lists.get(key);
    if (known && elapsedMs() - known.atMs < freshMs) return known.tags;
    const tags = registry
      .tags(reference, asking, signal)
      .then((answer) =>
        answer.kind === 'failed'
          ? answer.reason
          : answer.value === 'unchanged'
            ? 'the registry says nothing new'
            : newestFirst(answer.value.tags.slice(0, 10_000)).slice(0, mostTags),
      )
      .catch((error: unknown) => messageOf(error));
    lists.set(key, { atMs: elapsedMs(), tags });
    return tags;
  };
  const looksOf = (app: AppKey): readonly Look[] => pipelineOf(app).looks(app);

  return {
    async images(app) {
      const workload = workloadOf(app);
      const pipeline = pipelineOf(app);
      const [places, ledger, looks] = [placesOf(workload) ?? [], pipeline.ledger(app), looksOf(app)];
      const found: ImageFacts[] = [];
      for (const place of places.slice(0, mostContainers)) {
        const reference = readReference(place.image);
        const look = looks.find(({ container }) => container.place.container === place.container);
        const list = 'problem' in reference ? reference.problem : await tagsOf(workload, reference);
        found.push(factsOf(place, 'problem' in reference ? undefined : reference, { ledger, look, list }));
      }
      return found;
    },
    async digest(app, container, tag) {
      const workload = workloadOf(app);
      const place = placesOf(workload)?.find((one) => one.container === container);
      if (!place) return 'the app has no such container';
      const reference = readReference(place.image);
      if ('problem' in reference) return `its image cannot be read: ${reference.problem}`;
      if (!registry) return 'no registry is asked here';
      const { asking } = await askingFor(workload);
      const answer = await registry.digest({ ...reference, tag }, asking, signal);
      return answer.kind === 'failed' ? answer.reason : { digest: answer.value };
    },
    lookOf: (app, container) => looksOf(app).find((look) => look.container.place.container === container),
  };
}

interface Known {
  readonly ledger: Ledger | undefined;
  readonly look: Look | undefined;
  readonly list: readonly string[] | string;
}

function factsOf(place: ImagePlace, reference: ImageReference | undefined, { ledger, look, list }: Known): ImageFacts {
  const hold = ledger && heldBy(ledger, place.container, place.image);
  const rejected = new Map((look?.decision?.rejected ?? []).map(({ tag, reason }) => [tag, reason]));
  const failed = failedTags(place, ledger);
  const isHere = reference?.tag;
  return {
    container: plainText(place.container),
    image: plainText(place.image),
    now: reference?.tag,
    policy: look && plainText(look.container.policy.text),
    wanted: look?.decision?.pick?.tag,
    state: look?.stay ?? 'none',
    reason: plainText(look?.reason ?? ''),
    hold: hold && { by: plainText(hold.by), instead: plainText(hold.instead), at: hold.at },
    problem: typeof list === 'string' ? plainText(list).slice(0, 300) : undefined,
    tags: (typeof list === 'string' ? [] : list).map((tag) => ({
      tag: plainText(tag),
      reason: plainText(
        tag === isHere ? 'this is what Git says' : (failed.get(tag) ?? rejected.get(tag) ?? '').slice(0, 300),
      ),
    })),
  };
}

/** Tags that failed and are in quarantine, with the reason. */
function failedTags(place: ImagePlace, ledger: Ledger | undefined): ReadonlyMap<string, string> {
  const failed = new Map<string, string>();
  for (const { images, reason } of ledger?.quarantine ?? []) {
    for (const image of Object.values(images)) {
      const read = readReference(image);
      if ('problem' in read || read.tag === undefined || withTag(place.image, read.tag) !== image) continue;
      failed.set(read.tag, `failed before: ${reason}`);
    }
  }
  return failed;
}

export const isOfApp = (
  app: AppKey,
  canaries: readonly { readonly namespace: string; readonly name: string }[],
): boolean => canaries.some((id) => keyOf(id) === app);

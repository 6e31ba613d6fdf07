import type { Act } from '../../acts/acts.ts';
import { readReference, withTag } from '../../images/reference.ts';
import type { EditPlan, EditTip } from '../../release/branch-edit.ts';
import type { Steps } from '../../lib/turns.ts';
import { releasePlan } from '../images/by-hand.ts';
import { foundIn } from '../images/found.ts';
import { type AppImages, isOfApp } from './images.ts';

export interface ReleasePlaces {
  readonly path: string;
  readonly ledgerDir: string;
  readonly defaultNamespace: string;
}

type ReleaseAct = Extract<Act, { readonly kind: 'release' }>;
type Plan = (tip: EditTip) => Steps<EditPlan>;

/** The commit by which a container gets a version that a person picked, as a function of the tip. A text: why there is none. */
export async function planRelease(
  act: ReleaseAct,
  {
    by,
    atMs,
    images,
    places,
  }: {
    readonly by: string;
    readonly atMs: number;
    readonly images: AppImages;
    readonly places: ReleasePlaces;
  },
): Promise<Plan | string> {
  const { app, container: name, reason } = act;
  const [tag = '', named] = act.tag.split('@');
  const look = images.lookOf(app, name);
  const answer = await images.digest(app, name, tag);
  if (typeof answer === 'string') return `it cannot be told whether ${tag} is there: ${answer}`;
  if (named !== undefined && answer.digest !== null && answer.digest !== named)
    return `${tag} is another image by now than ${named}`;
  const digest = named ?? answer.digest ?? undefined;
  const isWanted = look?.decision?.pick?.tag === tag;
  return function* plan(tip) {
    const needless = (why: string): EditPlan => ({ kind: 'needless', reason: why });
    const found = foundIn(tip.tree, new Map(), places.defaultNamespace).find(({ canaries }) => isOfApp(app, canaries));
    const container = found?.containers.find(({ place }) => place.container === name);
    if (!found || !container) return needless(`Git has no container ${name} of this app`);
    const { lock } = found;
    if (lock) return needless(`the app is locked${lock.user === undefined ? '' : ` by ${lock.user}`}`);
    const reference = readReference(container.place.image);
    if ('problem' in reference) return needless(`its image cannot be read: ${reference.problem}`);
    const isPinned = reference.digest !== undefined || (look !== undefined && look.container.policy.digest !== 'never');
    if (isPinned && digest === undefined)
      return needless(`the digest of ${tag} is written beside it, and the registry does not say it`);
    const plan = yield* releasePlan(
      found,
      {
        container,
        to: withTag(container.place.image, tag, isPinned ? digest : named),
        notes: reason === '' ? [] : [reason],
        ...(look && !isWanted ? { hold: { by, atMs } } : {}),
      },
      tip,
      places,
    );
    return plan.kind === 'change' ? { ...plan, message: signed(plan.message, by) } : plan;
  };
}

/** Who asked for it: the author of the commit is the agent. */
const signed = (message: string, by: string): string => `${message.trimEnd()}\nRequested-by: ${by}\n`;

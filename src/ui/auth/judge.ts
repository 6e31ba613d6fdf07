import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { LatestUsed } from '../../lib/latest-used.ts';
import { createLimit } from '../../lib/limit.ts';
import type { Logger } from '../../lib/log.ts';
import { UiError } from '../told.ts';
import type { AgentDoor } from '../questions.ts';
import type { UiSettings } from '../settings.ts';
import { nobody, type Right, type Viewer } from '../viewer.ts';
import { grantedViewer, type Identity, type KubernetesUser } from './identity.ts';
import { readAgain } from './read-again.ts';
import { digestOf, grantsOf, holderOf, parseGroups, parseTokens, shown } from './rights-files.ts';

/** Says who somebody is and what he may do. */
export interface Judge {
  /** Whose token this is; undefined: nobody's. Rejects with UiError where that cannot be told now. */
  identify(token: string): Promise<Identity | undefined>;
  /**
   * What somebody may do in these namespaces, now: files are read again, the API server is asked again. Undefined: it is not valid any more.
   * Rejects with UiError where that cannot be told now.
   */
  viewer(identity: Identity, namespaces: Iterable<string>): Promise<Viewer | undefined>;
  /** Of whoever has not signed in. */
  readonly anonymous: Viewer;
}

export interface JudgeParts {
  readonly settings: Pick<UiSettings, 'anonymous' | 'tokenFile' | 'kubernetes' | 'oidc'>;
  readonly door: Pick<AgentDoor, 'reviewToken' | 'reviewAccess'>;
  readonly clock: Pick<Clock, 'elapsed'>;
  readonly log: Pick<Logger, 'error'>;
}

/** How long an answer of the API server counts: a right that was taken away is gone after that. */
const freshMs = 30_000;
const mostKept = 10_000;
const mostTokenLetters = 16_384;
/** No viewer makes more requests than this to the API server at a time. */
const atOnce = 10;
/** Apps of more namespaces are not looked up one by one. */
const mostNamespaces = 500;

export function createJudge({ settings, door, clock, log }: JudgeParts): Judge {
  const { tokenFile, oidc } = settings;
  const tokens =
    tokenFile === undefined ? undefined : readAgain({ setting: '--ui-token-file', path: tokenFile }, parseTokens);
  const groups =
    oidc?.rightsFile === undefined
      ? undefined
      : readAgain({ setting: '--ui-oidc-rights-file', path: oidc.rightsFile }, parseGroups);
  const reviews = createFresh<KubernetesUser | undefined>(clock);
  const accesses = createFresh<boolean>(clock);
  const limit = createLimit(atOnce);

  const asked = async <Answer>(what: string, question: () => Promise<Answer>): Promise<Answer> => {
    try {
      return await question();
    } catch (error) {
      log.error({ reason: messageOf(error) }, what);
      throw new UiError(503, `${what}; try again in a moment.`);
    }
  };
  const reviewed = (token: string): Promise<KubernetesUser | undefined> =>
    reviews.get(digestOf(token), () =>
      asked('The Kubernetes API cannot say whose token this is', () => limit(() => door.reviewToken(token))),
    );
  const mayUser = (user: KubernetesUser, right: Right, namespace: string): Promise<boolean> =>
    accesses.get(`${right} ${namespace} ${digestOfUser(user)}`, () =>
      asked('The Kubernetes API cannot say what you may do', () =>
        limit(() => door.reviewAccess({ user, right, namespace })),
      ),
    );

  const kubernetesViewer = async (
    { user, name }: Extract<Identity, { kind: 'kubernetes' }>,
    namespaces: Iterable<string>,
  ): Promise<Viewer> => {
    const may = new Map<Right, ReadonlySet<string> | 'everywhere'>();
    const wanted = [...new Set(namespaces)].slice(0, mostNamespaces);
    for (const right of ['operate', 'read'] as const) {
      // The empty name is all of them.
      if (await mayUser(user, right, '')) {
        may.set(right, 'everywhere');
        continue;
      }
      const each = await Promise.all(wanted.map((namespace) => mayUser(user, right, namespace)));
      may.set(right, new Set(wanted.filter((_, at) => each[at])));
    }
    const mayIn = (right: Right, namespace: string): boolean => {
      const where = may.get(right);
      return where === 'everywhere' || where?.has(namespace) === true;
    };
    return {
      name,
      isSignedIn: true,
      // Who may patch and not get would change what he does not see.
      may: (right, namespace) => mayIn('read', namespace) && mayIn(right, namespace),
      mayAnywhere: (right) => {
        const where = may.get(right);
        return where === 'everywhere' || (where?.size ?? 0) > 0;
      },
    };
  };

  return {
    anonymous:
      settings.anonymous === 'none'
        ? nobody
        : grantedViewer(nobody.name, [{ right: settings.anonymous, namespaces: '*' }], false),
    async identify(token) {
      if (token.length > mostTokenLetters || !/^[\x21-\x7e]+$/.test(token)) return undefined;
      const digest = digestOf(token);
      const holder = tokens && holderOf(await fromFile(tokens, log), digest);
      if (holder) return { kind: 'token', name: holder.name, digest };
      const user = settings.kubernetes ? await reviewed(token) : undefined;
      return user && { kind: 'kubernetes', name: shown(user.username), user, token };
    },
    async viewer(identity, namespaces) {
      if (identity.kind === 'token') {
        const holder = tokens && holderOf(await fromFile(tokens, log), identity.digest);
        return holder && grantedViewer(holder.name, holder.grants, true);
      }
      if (identity.kind === 'oidc') {
        if (!groups) return grantedViewer(identity.name, [{ right: 'read', namespaces: '*' }], true);
        return grantedViewer(identity.name, grantsOf(await fromFile(groups, log), identity.groups), true);
      }
      const user = await reviewed(identity.token);
      return user && kubernetesViewer({ ...identity, user }, namespaces);
    },
  };
}

/** Nobody is told which file it is: the log says it. */
async function fromFile<Content>(read: () => Promise<Content>, log: JudgeParts['log']): Promise<Content> {
  try {
    return await read();
  } catch (error) {
    log.error({ reason: messageOf(error) }, 'rights for the dashboard cannot be read: nobody gets one by them');
    throw new UiError(503, 'Rights cannot be read; the log of the agent says why.');
  }
}

const digestOfUser = (user: KubernetesUser): string => createHash('sha256').update(JSON.stringify(user)).digest('hex');

interface Fresh<Value> {
  /** What was answered lately, or is being asked for, or is asked for now. What rejects is not kept. */
  get(key: string, ask: () => Promise<Value>): Promise<Value>;
}

function createFresh<Value>(clock: Pick<Clock, 'elapsed'>): Fresh<Value> {
  const kept = new LatestUsed<{ readonly atMs: number; readonly value: Promise<Value> }>(mostKept);
  return {
    get(key, ask) {
      const known = kept.get(key);
      if (known && clock.elapsed() - known.atMs < freshMs) return known.value;
      const value = ask();
      kept.set(key, { atMs: clock.elapsed(), value });
      value.catch(() => {
        if (kept.get(key)?.value === value) kept.delete(key);
      });
      return value;
    },
  };
}

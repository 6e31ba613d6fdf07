import type { Cluster } from '../../cluster/cluster.ts';
import { at, textOf } from '../../lib/json.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { AccessAsked, AgentDoor } from '../../ui/questions.ts';

/** Who asks; nothing is stored under it. */
const manager = 'serin';
const mostGroups = 1_000;

/** What the API server says of tokens and rights, with the agent's own right to ask it. */
export function createReviews(
  cluster: Pick<Cluster, 'create'>,
  signal: AbortSignal,
): Pick<AgentDoor, 'reviewToken' | 'reviewAccess'> {
  const review = (apiVersion: string, kind: string, spec: unknown): Promise<KubeObject> =>
    // Nothing is made, so it has no name.
    cluster.create({ apiVersion, kind, metadata: {}, spec } as unknown as KubeObject, { manager }, signal);
  return {
    async reviewToken(token) {
      const { status } = await review('authentication.k8s.io/v1', 'TokenReview', { token });
      const user = at(status, 'user');
      const username = textOf(at(user, 'username'));
      if (at(status, 'authenticated') !== true || username === undefined || username === '') return undefined;
      const groups = at(user, 'groups');
      const extra = at(user, 'extra');
      const textsIn = (value: unknown): readonly string[] =>
        (Array.isArray(value) ? value : [])
          .filter((one): one is string => typeof one === 'string')
          .slice(0, mostGroups);
      return {
        username,
        uid: textOf(at(user, 'uid')) ?? '',
        groups: textsIn(groups),
        extra: Object.fromEntries(Object.entries(extra ?? {}).map(([name, values]) => [name, textsIn(values)])),
      };
    },
    async reviewAccess({ user, right, namespace }: AccessAsked) {
      const { status } = await review('authorization.k8s.io/v1', 'SubjectAccessReview', {
        user: user.username,
        ...(user.uid === '' ? {} : { uid: user.uid }),
        groups: user.groups,
        extra: user.extra,
        resourceAttributes: {
          group: 'flagger.app',
          version: 'v1beta1',
          resource: 'canaries',
          verb: right === 'read' ? 'get' : 'patch',
          ...(namespace === '' ? {} : { namespace }),
        },
      });
      return at(status, 'allowed') === true && at(status, 'denied') !== true;
    },
  };
}

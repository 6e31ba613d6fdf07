import { fits } from '../../manifest/name-pattern.ts';
import type { Right, Viewer } from '../viewer.ts';

/** A right in the namespaces that a pattern names; `*` is all of them. */
export interface Grant {
  readonly right: Right;
  readonly namespaces: string;
}

/** Who somebody is, as far as it was proven. What he may do is looked up with each request. */
export type Identity =
  /** `digest`: of the token, in hexadecimal digits. */
  | { readonly kind: 'token'; readonly name: string; readonly digest: string }
  | { readonly kind: 'oidc'; readonly name: string; readonly groups: readonly string[] }
  /** `token`: a secret, to have it reviewed again. */
  | { readonly kind: 'kubernetes'; readonly name: string; readonly user: KubernetesUser; readonly token: string };

/** As a TokenReview tells it and a SubjectAccessReview asks for it. */
export interface KubernetesUser {
  readonly username: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

const isEnough = (grant: Grant, right: Right): boolean => right === 'read' || grant.right === 'operate';

export const grantedViewer = (name: string, grants: readonly Grant[], isSignedIn: boolean): Viewer => ({
  name,
  isSignedIn,
  may: (right, namespace) => grants.some((grant) => isEnough(grant, right) && fits(grant.namespaces, namespace)),
  mayAnywhere: (right) => grants.some((grant) => isEnough(grant, right)),
});

/** `read`, `operate` or `operate:NAMESPACES`, several by commas; `operate` includes `read`. Undefined: it says something else. */
export function readGrants(text: string): readonly Grant[] | undefined {
  const grants: Grant[] = [];
  for (const part of text.split(',')) {
    const [right = '', namespaces = '*', ...more] = part.split(':');
    if ((right !== 'read' && right !== 'operate') || more.length > 0) return undefined;
    if (!/^[-a-z0-9*]{1,63}$/.test(namespaces)) return undefined;
    grants.push({ right, namespaces });
  }
  return grants;
}

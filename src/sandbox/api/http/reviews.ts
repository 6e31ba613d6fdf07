import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { badRequest, methodNotAllowed, notFound } from '../failure.ts';
import { asObject } from '../json.ts';
import type { Json } from '../json.ts';
import { grantedBy } from '../rbac.ts';
import type { ApiStore } from '../store.ts';
import type { ApiRequest, Reply } from './request.ts';
import { objectBody, reply } from './request.ts';
import type { Backend } from './write.ts';

/** Served without being stored: an answer to what is sent. */
export interface Review {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly status: (spec: Json, store: ApiStore) => Json;
}

const review = (group: string, kind: string, status: Review['status']): Review => ({
  group,
  version: 'v1',
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  kind,
  status,
});

/** Whoever asks for himself may do everything here; of others it says what their roles grant. */
export const reviews: readonly Review[] = [
  review('authorization.k8s.io', 'SelfSubjectAccessReview', () => ({
    allowed: true,
    reason: 'the sandbox allows everything',
  })),
  review('authorization.k8s.io', 'SubjectAccessReview', accessOf),
  review('authentication.k8s.io', 'TokenReview', userOf),
];

/** The answer to a review; undefined: the path is none. */
export function answerReview({ store, protobuf }: Backend, request: ApiRequest): Reply | undefined {
  const found = reviews.find(({ group, version, plural }) => request.path === `/apis/${group}/${version}/${plural}`);
  if (!found) return undefined;
  if (request.method !== 'POST') throw methodNotAllowed();
  const body = objectBody(request, protobuf);
  const { kind, group, version, status } = found;
  return reply(201, {
    kind,
    apiVersion: `${group}/${version}`,
    metadata: { creationTimestamp: null, ...asObject(body['metadata']) },
    spec: body['spec'],
    status: status(asObject(body['spec']), store),
  });
}

function accessOf(spec: Json, store: ApiStore): Json {
  const { user, groups } = spec;
  const username = typeof user === 'string' ? user : '';
  const all = Array.isArray(groups) ? groups.filter((one): one is string => typeof one === 'string') : [];
  if (username === '' && all.length === 0)
    throw badRequest('spec.user: Invalid value: "": at least one of user or group must be specified');
  const asked = asObject(spec['resourceAttributes']);
  const text = (name: string): string => {
    const value = asked[name];
    return typeof value === 'string' ? value : '';
  };
  const subresource = text('subresource');
  const by = grantedBy(
    store,
    { username, groups: all },
    {
      verb: text('verb'),
      group: text('group'),
      resource: subresource === '' ? text('resource') : `${text('resource')}/${subresource}`,
      namespace: text('namespace'),
      name: text('name'),
    },
  );
  return by === undefined ? { allowed: false } : { allowed: true, reason: `RBAC: allowed by ${by}` };
}

const key = randomBytes(32);
const audience = 'https://kubernetes.default.svc.cluster.local';
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const signatureOf = (text: string): string => createHmac('sha256', key).update(text).digest('base64url');

/** `POST …/serviceaccounts/NAME/token`; undefined: the path is none. */
export function answerTokenRequest({ store, protobuf }: Backend, request: ApiRequest): Reply | undefined {
  const found = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/.exec(request.path);
  const [, namespace = '', name = ''] = found ?? [];
  if (!found) return undefined;
  if (request.method !== 'POST') throw methodNotAllowed();
  const account = store.get('v1', 'ServiceAccount', namespace, name);
  if (!account) throw notFound({ group: '', kind: 'serviceaccounts', name });
  const spec = asObject(objectBody(request, protobuf)['spec']);
  const asked = spec['expirationSeconds'];
  const seconds = typeof asked === 'number' ? asked : 3_600;
  const until = Math.floor(store.clock.now() / 1_000) + seconds;
  const head = `${base64({ alg: 'HS256', typ: 'JWT' })}.${base64({
    aud: [audience],
    exp: until,
    sub: `system:serviceaccount:${namespace}:${name}`,
    uid: account.metadata.uid,
  })}`;
  return reply(201, {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: new Date(store.clock.now()).toISOString().replace(/\.\d+/, '') },
    spec: { audiences: [audience], expirationSeconds: seconds, boundObjectRef: null },
    status: {
      token: `${head}.${signatureOf(head)}`,
      expirationTimestamp: new Date(until * 1_000).toISOString().replace(/\.\d+/, ''),
    },
  });
}

function userOf({ token }: Json, store: ApiStore): Json {
  const unknown = { user: {}, error: 'invalid bearer token' };
  const [head = '', payload = '', signature = '', ...more] = typeof token === 'string' ? token.split('.') : [];
  const [given, right] = [Buffer.from(signature), Buffer.from(signatureOf(`${head}.${payload}`))];
  if (more.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) return unknown;
  const { sub, uid, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Record<string, unknown>;
  const [, , namespace = '', name = ''] = String(sub).split(':');
  const account = store.get('v1', 'ServiceAccount', namespace, name);
  // A token is of the account that it was made for, and ends with it.
  if (account?.metadata.uid !== uid || Number(exp) * 1_000 <= store.clock.now()) return unknown;
  return {
    authenticated: true,
    user: {
      username: sub,
      uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    },
    audiences: [audience],
  };
}

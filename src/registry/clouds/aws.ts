import { AwsV4Signer } from 'aws4fetch';
import { Failed } from '../failure.ts';
import { createRenewed, type Lasting } from '../renewed.ts';
import { type Cloud, type CloudDeps, fileText, jsonAnswer, lifeUntil, needed, wordIn } from './cloud.ts';

/** Who the agent is to AWS, for a while. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface Place {
  readonly region: string;
  readonly api: string;
}

const keptMs = 15 * 60_000;
/** AWS takes unencrypted answers only from these: the container agent of ECS, the agent of EKS Pod Identity, the machine itself. */
const nearHosts = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]', '127.0.0.1', 'localhost', '[::1]']);

/**
 * Amazon ECR by GetAuthorizationToken. The agent is who its environment says: AWS_ACCESS_KEY_ID, a role of its service account (IRSA:
 * AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE), or EKS Pod Identity (AWS_CONTAINER_CREDENTIALS_FULL_URI). The role of a node is not used.
 */
export function createAws(deps: CloudDeps): Cloud {
  const { clock, environment } = deps;
  const sessions = createRenewed<Session>(clock);
  return {
    keyOf: (registry) => placeOf(registry)?.region,
    async fetch(registry, signal) {
      const place = placeOf(registry);
      if (!place) throw new Failed('strange', 'it is no registry of ECR');
      const home = environment['AWS_REGION'] ?? place.region;
      const session = await sessions.get(home, (asking) => sessionFor(deps, home, asking), signal);
      try {
        return await tokenOf(deps, place, session, signal);
      } catch (error) {
        // What AWS does not take any more is of no use, however long it should have counted.
        if (error instanceof Failed && error.kind === 'sign-in') sessions.forget(home);
        throw error;
      }
    },
  };
}

function placeOf(registry: string): Place | undefined {
  const match =
    /^\d{12}\.dkr(\.ecr|-ecr)(-fips)?\.([a-z]{2}(?:-[a-z]{1,12}){1,3}-\d)\.(amazonaws\.com|amazonaws\.com\.cn|on\.aws)$/.exec(
      registry,
    );
  if (!match) return undefined;
  const [, form, fips, region = '', domain = ''] = match;
  if ((form === '-ecr') !== (domain === 'on.aws')) return undefined;
  if (domain === 'on.aws') return { region, api: `https://ecr${fips ?? ''}.${region}.api.aws` };
  return { region, api: fips ? `https://ecr-fips.${region}.${domain}` : `https://api.ecr.${region}.${domain}` };
}

async function tokenOf(
  { clock, http, environment, timeoutMs }: CloudDeps,
  { region, api }: Place,
  session: Session,
  signal: AbortSignal,
): ReturnType<Cloud['fetch']> {
  const name = 'GetAuthorizationToken of AWS';
  const signed = await new AwsV4Signer({
    ...session,
    method: 'POST',
    url: `${environment['AWS_ENDPOINT_URL_ECR'] ?? api}/`,
    service: 'ecr',
    region,
    datetime: new Date(clock.now()).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
    },
    body: '{}',
  }).sign();
  const answer = await http.request(
    { method: 'POST', url: signed.url.href, headers: Object.fromEntries(signed.headers), body: '{}', timeoutMs },
    signal,
  );
  const { authorizationData } = jsonAnswer(
    answer,
    name,
    'the role may not call ecr:GetAuthorizationToken, or its key is not accepted',
  );
  const [first] = Array.isArray(authorizationData) ? (authorizationData as readonly unknown[]) : [];
  const { authorizationToken, expiresAt } = (first ?? {}) as Readonly<Record<string, unknown>>;
  const pair = Buffer.from(wordIn(authorizationToken, name), 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon <= 0) throw new Failed('strange', `${name} gives no credentials`);
  return {
    value: { kind: 'basic', username: pair.slice(0, colon), password: wordIn(pair.slice(colon + 1), name) },
    lifeMs: lifeUntil(Number(expiresAt) * 1_000, clock.now(), keptMs),
  };
}

export async function sessionFor(deps: CloudDeps, region: string, signal: AbortSignal): Promise<Lasting<Session>> {
  const { environment } = deps;
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SESSION_TOKEN: sessionToken = '' } = environment;
  if (accessKeyId !== '') {
    const secretAccessKey = needed(deps, ['AWS_SECRET_ACCESS_KEY'], 'AWS_ACCESS_KEY_ID has no secret beside it');
    return {
      value: { accessKeyId, secretAccessKey, ...(sessionToken === '' ? {} : { sessionToken }) },
      lifeMs: keptMs,
    };
  }
  if (environment['AWS_WEB_IDENTITY_TOKEN_FILE']) return byWebIdentity(deps, region, signal);
  if (environment['AWS_CONTAINER_CREDENTIALS_FULL_URI']) return byPodIdentity(deps, signal);
  throw new Failed(
    'sign-in',
    'nothing says who the agent is to AWS: give its service account a role (IRSA), a Pod Identity, or set AWS_ACCESS_KEY_ID',
  );
}

/** A role of the service account: its token is exchanged at STS. */
async function byWebIdentity(deps: CloudDeps, region: string, signal: AbortSignal): Promise<Lasting<Session>> {
  const { clock, http, environment, timeoutMs } = deps;
  const variable = 'AWS_WEB_IDENTITY_TOKEN_FILE';
  const name = 'AssumeRoleWithWebIdentity of AWS';
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: needed(deps, ['AWS_ROLE_ARN'], 'the role of the service account is not known'),
    RoleSessionName: environment['AWS_ROLE_SESSION_NAME'] ?? 'serin',
    WebIdentityToken: await fileText(deps, environment[variable] ?? '', variable),
  });
  const { status, body } = await http.request(
    {
      method: 'POST',
      url: `${environment['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${region}.${domain}`}/`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      timeoutMs,
    },
    signal,
  );
  if (status === 429 || status >= 500) throw new Failed('unreachable', `${name} answers ${status}`);
  if (status !== 200)
    throw new Failed('sign-in', `${name} answers ${status}: the role does not trust this service account`);
  const element = (tag: string): string | undefined => {
    const begin = body.indexOf(`<${tag}>`);
    const end = body.indexOf(`</${tag}>`, begin);
    return begin < 0 || end < 0 ? undefined : body.slice(begin + tag.length + 2, end).trim();
  };
  return {
    value: {
      accessKeyId: wordIn(element('AccessKeyId'), name),
      secretAccessKey: wordIn(element('SecretAccessKey'), name),
      sessionToken: wordIn(element('SessionToken'), name),
    },
    lifeMs: lifeUntil(Date.parse(element('Expiration') ?? ''), clock.now(), keptMs),
  };
}

/** The agent of EKS Pod Identity, or of ECS, answers on the node. */
async function byPodIdentity(deps: CloudDeps, signal: AbortSignal): Promise<Lasting<Session>> {
  const { clock, local, environment, timeoutMs } = deps;
  const name = 'AWS_CONTAINER_CREDENTIALS_FULL_URI';
  const text = environment[name] ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && nearHosts.has(url.hostname))))
    throw new Failed('sign-in', `${name} leads to where credentials are not asked for`);
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '';
  const token =
    file === ''
      ? (environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? '')
      : await fileText(deps, file, 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  const headers = token === '' ? {} : { authorization: wordIn(token, 'AWS_CONTAINER_AUTHORIZATION_TOKEN') };
  const answer = jsonAnswer(
    await local.request({ method: 'GET', url: url.href, headers, timeoutMs }, signal),
    name,
    'the service account has no Pod Identity',
  );
  return {
    value: {
      accessKeyId: wordIn(answer['AccessKeyId'], name),
      secretAccessKey: wordIn(answer['SecretAccessKey'], name),
      sessionToken: wordIn(answer['Token'], name),
    },
    lifeMs: lifeUntil(Date.parse(String(answer['Expiration'])), clock.now(), keptMs),
  };
}

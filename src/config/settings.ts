import { own } from '../lib/own.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';

/** What a setting is once it is read, by its kind. */
interface ValueOfKind {
  readonly text: string;
  readonly 'secret-file': string;
  /** One of `choices`. */
  readonly choice: string;
  /** Undefined: none is open. */
  readonly port: number | undefined;
  /** Milliseconds, more than none; 0 where there is no default and none is set. */
  readonly duration: number;
  readonly flag: boolean;
  readonly list: readonly string[];
  readonly mebibytes: number;
}

export type SettingKind = keyof ValueOfKind;

/** One setting of `serin run`: `--git-url`, `SERIN_GIT_URL` and `git-url:` in the file are the same thing. */
export interface Setting {
  readonly name: string;
  readonly kind: SettingKind;
  /** As it would be written; the empty string means that there is none. */
  readonly default: string;
  readonly choices?: readonly string[];
  /** Of `mebibytes`. Absent: whole numbers, as many as are stored in one pack. */
  readonly bounds?: MebibyteBounds;
  readonly group: string;
  readonly help: string;
  /** Flagger's name of the environment variable; `SERIN_…` comes first. */
  readonly alias?: string;
}

interface MebibyteBounds {
  readonly least: number;
  readonly most: number;
  readonly fraction: boolean;
}

/** Variables that Flagger reads, and what they are here. */
const flaggerEnvironment: Readonly<Record<string, string>> = {
  'slack-url': 'SLACK_URL',
  'slack-token': 'SLACK_TOKEN',
  'slack-proxy-url': 'SLACK_PROXY_URL',
  'msteams-url': 'MSTEAMS_URL',
  'msteams-proxy-url': 'MSTEAMS_PROXY_URL',
  'event-webhook': 'EVENT_WEBHOOK_URL',
};

const setting = <const Name extends string, const Kind extends SettingKind, const Choice extends string = string>(
  group: string,
  name: Name,
  kind: Kind,
  fallback: string,
  help: string,
  choices?: readonly Choice[],
  bounds?: MebibyteBounds,
): Setting & { readonly name: Name; readonly kind: Kind; readonly choices?: readonly Choice[] } => ({
  group,
  name,
  kind,
  default: fallback,
  help,
  ...(choices ? { choices } : {}),
  ...(bounds ? { bounds } : {}),
  ...(Object.hasOwn(flaggerEnvironment, name) ? { alias: own(flaggerEnvironment, name) ?? '' } : {}),
});

/** All settings, in the order of `--help`. Flagger's names where Flagger has the same thing. */
export const settings = [
  setting(
    'Git',
    'git-url',
    'text',
    '',
    'repository to watch: https://HOST/PATH, ssh://git@HOST/PATH or git@HOST:PATH; required',
  ),
  setting('Git', 'git-branch', 'text', 'main', 'branch to watch and to write to'),
  setting('Git', 'git-path', 'text', '', 'folder of the repository that is synced; all of it when empty'),
  setting('Git', 'git-poll-interval', 'duration', '5s', 'how often the branch is asked for'),
  setting('Git', 'git-username', 'text', 'git', 'user name for the Git server'),
  setting(
    'Git',
    'git-password-file',
    'secret-file',
    '',
    'file with the password or token for the Git server; read again when it changes',
  ),
  setting(
    'Git',
    'git-ca-file',
    'text',
    '',
    "file with the certificate authorities of the Git server, instead of the system's; read again when it changes",
  ),
  setting(
    'Git',
    'git-ssh-key-file',
    'secret-file',
    '',
    'file with the private key for SSH, without a passphrase; read again for each connection; when empty the key is in --git-ssh-secret',
  ),
  setting(
    'Git',
    'git-ssh-secret',
    'text',
    'serin-git-deploy',
    "Secret of the agent's own namespace with the private key for SSH (identity); it is made where it is missing",
  ),
  setting(
    'Git',
    'git-known-hosts-file',
    'text',
    '',
    'file in the format of known_hosts with the host key of the Git server; those of github.com, gitlab.com and bitbucket.org are built in; read again for each connection',
  ),
  setting('Git', 'git-known-hosts', 'text', '', 'such lines themselves, beside those of the file'),
  setting('Git', 'git-dir', 'text', '', 'folder for the local mirror; a temporary one when empty'),
  setting(
    'Git',
    'git-max-download',
    'mebibytes',
    '512',
    'largest download from the Git server in MiB; it is held in memory until it is checked, so it bounds that, too',
  ),
  setting(
    'Git',
    'git-cache-memory',
    'mebibytes',
    '128',
    'most memory in MiB for what is read of the local mirror, beside a download; less makes reading many files slower',
  ),
  setting('Git', 'write', 'choice', 'direct', 'whether outcomes are written to the branch', ['direct', 'none']),
  setting('Git', 'git-author-name', 'text', 'Serin', 'author of the commits'),
  setting('Git', 'git-author-email', 'text', 'serin@localhost', 'e-mail address of the author'),
  setting('Git', 'ledger-dir', 'text', '.releases', 'folder of the ledgers, under --git-path'),
  setting('Git', 'tag-prefix', 'text', 'releases/', 'prefix of release tags; one of its own for each cluster'),
  setting(
    'Images',
    'image-updates',
    'choice',
    'direct',
    'whether new tags of images become commits, where an object in Git asks for it (fluxcd.io/automated: "true"); none also with --write none',
    ['direct', 'none'],
  ),
  setting(
    'Images',
    'image-interval',
    'duration',
    '5m',
    'how often a registry is asked for tags that have just changed; others are asked more and more rarely, down to an eighth',
  ),
  setting(
    'Images',
    'registry-config-file',
    'secret-file',
    '',
    'Docker configuration with credentials for registries, beside the imagePullSecrets of workloads, also by credential helpers; read again each time',
  ),
  setting(
    'Images',
    'registry-plain-http',
    'list',
    '',
    'registries (HOST:PORT) that are spoken to without TLS: tags and credentials can be read and changed on the way',
  ),
  setting(
    'Images',
    'registry-ca-file',
    'text',
    '',
    'file with PEM certificate authorities of registries, beside those that Node trusts; read at the start',
  ),
  setting(
    'Images',
    'registry-clouds',
    'list',
    '',
    'clouds whose registries are signed in to as the agent itself, where a workload names no credentials: aws (ECR), google (Artifact Registry, gcr.io), azure (ACR)',
  ),
  setting(
    'Images',
    'image-platforms',
    'list',
    '',
    'platforms (linux/arm64) of which a new image has to have one, where the nodeSelector of its workload names none; empty: the one that the agent runs on',
  ),
  setting(
    'Images',
    'hook-port',
    'port',
    '',
    'port where registries tell of new images (POST /hook/images/TOKEN); nowhere when empty, needs --hook-token-file',
  ),
  setting('Images', 'hook-token-file', 'secret-file', '', 'file with the tokens of such webhooks, one a line'),
  setting('Sync', 'default-namespace', 'text', 'default', 'namespace of objects in Git that name none'),
  setting('Sync', 'prune', 'flag', 'true', 'delete objects that were applied from Git and are gone from it'),
  setting('Sync', 'prune-anything', 'flag', 'false', 'let one sync delete more than half of what was applied'),
  setting(
    'Sync',
    'sync-own-namespace',
    'flag',
    'false',
    'apply also what Git says of the agent itself: its namespace and what is in it, its rights',
  ),
  setting(
    'Sync',
    'max-file-size',
    'mebibytes',
    '16',
    'largest file with manifests in MiB; a larger one is an error, and what was applied from it stays',
    undefined,
    { least: 0.1, most: 64, fraction: true },
  ),
  setting(
    'Sync',
    'max-tree-size',
    'mebibytes',
    '96',
    'largest sum of all manifests in MiB, with 2 KiB for each object and 64 bytes for each of its values beyond 64; where there is more, the largest files of the tenant with the most are left out',
  ),
  setting(
    'Sync',
    'max-object-size',
    'mebibytes',
    '1.5',
    'largest object in MiB, as JSON; raise it only where etcd (--max-request-bytes) takes more',
    undefined,
    { least: 0.1, most: 8, fraction: true },
  ),
  setting(
    'Sync',
    'kustomize',
    'text',
    'kustomize',
    'program kustomize of version 5, which renders kustomizations: a path, or a name in PATH; nothing is rendered when empty',
  ),
  setting(
    'Sync',
    'helm',
    'text',
    'helm',
    'program helm of version 3, which renders HelmReleases: a path, or a name in PATH; they are applied as objects when empty',
  ),
  setting(
    'Sync',
    'sops',
    'text',
    'sops',
    'program sops of version 3, which decrypts what SOPS encrypted: a path, or a name in PATH; that is held back when empty',
  ),
  setting(
    'Sync',
    'sops-age-key-file',
    'text',
    '',
    'file with age keys for what SOPS encrypted; read whenever it is needed',
  ),
  setting(
    'Sync',
    'sops-age-secret',
    'text',
    'sops-age',
    "Secret of the agent's namespace with such files, under names that end with .agekey; need not be there; none when empty",
  ),
  setting(
    'Sync',
    'sops-environment',
    'list',
    '',
    'variables of the environment that sops gets, for PGP and services that keep keys (AWS_*, GOOGLE_*, AZURE_*, VAULT_*, GNUPGHOME, PATH)',
  ),
  setting(
    'Sync',
    'remote-charts',
    'flag',
    'false',
    'fetch the charts of HelmReleases from the indexes and registries that they name',
  ),
  setting('Sync', 'enable-helm', 'flag', 'false', 'render helmCharts of kustomizations, by the program helm'),
  setting('Sync', 'suspend', 'flag', 'false', 'apply nothing; canaries under way go on'),
  setting('Sync', 'resync-schedule', 'text', '17 * * * *', 'cron schedule of a full comparison with the cluster'),
  setting(
    'Cluster',
    'kubeconfig',
    'text',
    '',
    'kubeconfig file; when empty as kubectl finds it, in a pod the service account',
  ),
  setting('Cluster', 'context', 'text', '', 'context of the kubeconfig; its current one when empty'),
  setting('Cluster', 'agent-namespace', 'text', 'serin', "the agent's own namespace, for its inventory"),
  setting('Cluster', 'namespace', 'text', '', 'look after the Canaries of this namespace only'),
  setting('Cluster', 'cluster-name', 'text', '', 'name of this cluster in commits and alerts'),
  setting('Analysis', 'mesh-provider', 'text', 'kubernetes', 'router of Canaries that name none (Flagger: istio)'),
  setting('Analysis', 'metrics-server', 'text', 'http://prometheus:9090', 'Prometheus of Canaries that name none'),
  setting(
    'Analysis',
    'rollback-window',
    'duration',
    '',
    'how long a version that an analysis promoted may be gone back to without another one, like 1h; never when empty. From the time on when it is set, ledgers say what was promoted so',
  ),
  setting('Analysis', 'min-interval', 'duration', '10s', 'shorter analysis intervals are raised to this'),
  setting(
    'Analysis',
    'inconclusive-no-traffic',
    'choice',
    'fail',
    'what a check does whose series exist but have nothing to measure',
    ['fail', 'hold', 'pass'],
  ),
  setting('Analysis', 'inconclusive-no-series', 'choice', 'fail', 'what a check does that finds no series', [
    'fail',
    'hold',
    'pass',
  ]),
  setting(
    'Analysis',
    'inconclusive-unreachable',
    'choice',
    'hold',
    'what a check does whose provider does not answer; a hold is rolled back after the progress deadline',
    ['fail', 'hold'],
  ),
  setting(
    'Analysis',
    'ingress-annotations-prefix',
    'text',
    'nginx.ingress.kubernetes.io',
    'prefix of the NGINX annotations',
  ),
  setting('Analysis', 'ingress-class', 'text', '', 'class of generated HTTPProxies (Contour)'),
  setting(
    'Analysis',
    'selector-labels',
    'list',
    'app,name,app.kubernetes.io/name',
    'labels that tell the pods of a target, first match wins',
  ),
  setting(
    'Analysis',
    'include-label-prefix',
    'list',
    '',
    'labels with these prefixes are copied to the primary; * copies all',
  ),
  setting(
    'Analysis',
    'enable-config-tracking',
    'flag',
    'true',
    'treat ConfigMaps and Secrets of a target as part of it',
  ),
  setting('Analysis', 'event-source', 'text', 'flagger', 'source of the Kubernetes events'),
  setting('Analysis', 'event-webhook', 'text', '', 'URL that gets every event of Canaries without an event webhook'),
  setting(
    'Analysis',
    'no-cross-namespace-refs',
    'flag',
    'false',
    'refuse Canaries that refer to objects of other namespaces',
  ),
  setting(
    'Analysis',
    'pod-logs',
    'flag',
    'true',
    'tell the last log lines of containers that do not start, without values of their Secrets, in events, alerts and commits',
  ),
  setting('Alerts', 'slack-url', 'text', '', 'Slack webhook that hears of all Canaries without alerts of their own'),
  setting('Alerts', 'slack-token', 'text', '', 'bearer token for --slack-url'),
  setting('Alerts', 'slack-channel', 'text', '', 'Slack channel; needed with --slack-url'),
  setting('Alerts', 'slack-user', 'text', 'flagger', 'name that alerts are signed with'),
  setting('Alerts', 'slack-proxy-url', 'text', '', 'proxy for --slack-url'),
  setting('Alerts', 'msteams-url', 'text', '', 'webhook of Microsoft Teams that hears of them instead of Slack'),
  setting('Alerts', 'msteams-proxy-url', 'text', '', 'proxy for --msteams-url'),
  setting(
    'Gates',
    'gate-host',
    'text',
    '',
    "host of webhooks that are this agent's own gates; serin.NAMESPACE when empty",
  ),
  setting('Gates', 'gate-port', 'port', '', 'port where others may ask for gates over HTTP; nowhere when empty'),
  setting(
    'Gates',
    'gate-token-file',
    'secret-file',
    '',
    'file with the tokens that may open and close gates over HTTP',
  ),
  setting('Dashboard', 'ui', 'port', '', 'port of the dashboard; there is none when empty'),
  setting(
    'Dashboard',
    'ui-url',
    'text',
    '',
    'address by which browsers ask for it, with the path below which a proxy has it: https://deploy.example.com/serin',
  ),
  setting(
    'Dashboard',
    'ui-hosts',
    'list',
    '',
    'other names by which it may be asked, beside that of --ui-url, the Services serin and serin-dashboard, and addresses; whoever names another one is turned away',
  ),
  setting(
    'Dashboard',
    'ui-anonymous',
    'choice',
    'none',
    'what may be done without signing in, in all namespaces; with operate it is open on the loopback address only, so for whoever may forward a port',
    ['none', 'read', 'operate'],
  ),
  setting(
    'Dashboard',
    'ui-token-file',
    'secret-file',
    '',
    'file with tokens to sign in with, a line each: NAME TOKEN RIGHTS, as in: ci 3f9c… read,operate:shop; read again when it changes',
  ),
  setting(
    'Dashboard',
    'ui-kubernetes',
    'flag',
    'false',
    'let people sign in with tokens of Kubernetes, which says what they may do: get a Canary is to see it, patch it is to operate it',
  ),
  setting('Dashboard', 'ui-oidc-issuer', 'text', '', 'provider of OpenID Connect, as it names itself; needs --ui-url'),
  setting('Dashboard', 'ui-oidc-client-id', 'text', '', 'client that it knows the dashboard as'),
  setting(
    'Dashboard',
    'ui-oidc-client-secret-file',
    'secret-file',
    '',
    'file with the secret of the client, if it has one',
  ),
  setting('Dashboard', 'ui-oidc-scopes', 'list', 'openid,profile,email,groups', 'scopes that are asked for'),
  setting('Dashboard', 'ui-oidc-name-claim', 'text', 'email', "claim with a person's name, for commits and events"),
  setting('Dashboard', 'ui-oidc-groups-claim', 'text', 'groups', "claim with a person's groups"),
  setting(
    'Dashboard',
    'ui-oidc-rights-file',
    'text',
    '',
    'file that says what groups may do, a line each: RIGHTS GROUP, as in: operate:shop shop-team; * is everybody; read again when it changes. Whoever can sign in may read when empty',
  ),
  setting(
    'Dashboard',
    'ui-oidc-ca-file',
    'text',
    '',
    'file with PEM certificate authorities of the provider, beside those that Node trusts',
  ),
  setting('Agent', 'port', 'port', '8080', 'port of /metrics, /healthz and /readyz; 0 for any'),
  setting(
    'Agent',
    'allow-addresses',
    'list',
    '',
    'addresses and networks (10.0.0.1, fd00::/8) that Canaries may name although they are loopback, link-local or of a cloud metadata service',
  ),
  setting('Agent', 'log-level', 'choice', 'info', 'least severe log lines', ['debug', 'info', 'warn', 'error']),
  setting(
    'Agent',
    'http-proxy',
    'text',
    '',
    'proxy for metrics, webhooks and alerts; HTTP_PROXY, HTTPS_PROXY and NO_PROXY when empty',
  ),
] as const satisfies readonly Setting[];

type Known = (typeof settings)[number];
export type SettingName = Known['name'];
type ValueOf<One extends Known> = One['kind'] extends 'choice'
  ? NonNullable<One['choices']>[number]
  : ValueOfKind[One['kind']];

/** Every setting as what it is: text, a number, a list, one of its choices. */
export type Settings = { readonly [Name in SettingName]: ValueOf<Extract<Known, { readonly name: Name }>> };

export const environmentName = (name: string): string => `SERIN_${name.toUpperCase().replaceAll('-', '_')}`;

/** Where values come from; the first that names a setting wins: flags, environment, file, default. */
export interface SettingSources {
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file: Readonly<Record<string, string>>;
}

/** All settings, checked. Throws CONFIG_INVALID with every problem at once. */
export function readSettings({ flags, environment, file }: SettingSources): Settings {
  const problems: string[] = [];
  const known = new Set<string>(settings.map(({ name }) => name));
  for (const name of Object.keys(file))
    if (!known.has(name)) problems.push(`the file sets "${name}", which is no setting; ${meant(name)}`);
  for (const name of Object.keys(environment)) {
    const problem = unknownVariable(name, known);
    if (problem) problems.push(problem);
  }
  const values: Partial<Record<SettingName, Settings[SettingName]>> = {};
  for (const entry of settings) {
    const { alias }: Setting = entry;
    const fromFlagger = alias === undefined ? undefined : environment[alias];
    const named = flags[entry.name] ?? environment[environmentName(entry.name)] ?? fromFlagger;
    const text = named ?? file[entry.name] ?? entry.default;
    const read = readSetting(entry, text);
    if ('problem' in read) problems.push(`--${entry.name} (${environmentName(entry.name)}): ${read.problem}`);
    else values[entry.name] = read.value;
  }
  if (problems.length > 0) throw new AgentError('CONFIG_INVALID', problems.join('\n'));
  return values as Settings;
}

/** What one setting says as it is written. */
export function readSetting(
  entry: Setting,
  text: string,
): { readonly value: Settings[SettingName] } | { readonly problem: string } {
  const problem = problemOf(entry, text);
  return problem === undefined ? { value: valueOf(entry.kind, text) as Settings[SettingName] } : { problem };
}

function valueOf(kind: SettingKind, text: string): ValueOfKind[SettingKind] {
  if (kind === 'flag') return text === 'true';
  if (kind === 'duration') return parseGoDuration(text) ?? 0;
  if (kind === 'port') return text === '' ? undefined : Number(text);
  if (kind === 'mebibytes') return Number(text);
  return kind === 'list' ? listOf(text) : text;
}

function meant(name: string): string {
  const close = nearest(name, ['tenants', 'sources', ...settings.map((entry) => entry.name)]);
  return `${close === undefined ? '' : `did you mean ${close}? `}run "serin run --help"`;
}

/** Kubernetes gives every pod such variables for each Service beside it. */
const ofService = /_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$/;
/** For tests of the project itself. */
const ofTests = /^SERIN_TEST_/;

function unknownVariable(variable: string, known: ReadonlySet<string>): string | undefined {
  if (!variable.startsWith('SERIN_') || ofService.test(variable) || ofTests.test(variable)) return undefined;
  const name = variable.slice('SERIN_'.length).toLowerCase().replaceAll('_', '-');
  if (known.has(name)) return undefined;
  const close = nearest(name, [...known]);
  const hint = close === undefined ? '' : `did you mean ${environmentName(close)}? `;
  return `${variable} is set, which is no setting; ${hint}run "serin run --help"`;
}

/** More is not stored in one pack. */
const wholeMebibytes: MebibyteBounds = { least: 1, most: 2_000, fraction: false };

function problemOf({ kind, choices, bounds, default: fallback }: Setting, value: string): string | undefined {
  if (kind === 'duration') {
    if (value === '' && fallback === '') return undefined;
    const ms = parseGoDuration(value);
    return ms === undefined || ms <= 0 ? `"${value}" is no duration; write it like 5s or 1m30s` : undefined;
  }
  if (kind === 'port') {
    if (value === '' && fallback === '') return undefined;
    if (/^\d+$/.test(value) && Number(value) <= 65_535) return undefined;
    // Kubernetes gives every pod a variable NAME_PORT for each Service beside it.
    const hint = value.includes('://')
      ? '; set enableServiceLinks: false in the pod, or name the Service otherwise'
      : '';
    return `"${value}" is no port number${hint}`;
  }
  if (kind === 'mebibytes') {
    const { least, most, fraction } = bounds ?? wholeMebibytes;
    const isNumber = (fraction ? /^\d{1,4}(\.\d{1,3})?$/ : /^\d{1,4}$/).test(value);
    if (isNumber && Number(value) >= least && Number(value) <= most) return undefined;
    return `"${value}" is no ${fraction ? '' : 'whole '}number of MiB from ${least} to ${most}; write it without a unit`;
  }
  if (kind === 'flag')
    return value === 'true' || value === 'false' ? undefined : `"${value}" is neither true nor false`;
  if (kind === 'choice')
    return choices?.includes(value) ? undefined : `"${value}" is none of ${choices?.join(', ') ?? ''}`;
  return undefined;
}

export const listOf = (value: string): readonly string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

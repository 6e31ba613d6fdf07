import { AgentError, messageOf } from '../../lib/errors.ts';
import { at, listOf, textOf, textsOf } from '../../lib/json.ts';
import { namespacedName } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { statusOf, specOf } from '../../report/status.ts';
import { routers } from '../../routers/registry.ts';
import { atBranch, type GitOptions } from '../apps/git-history.ts';
import { type Apps, atApps, type ClusterOptions, isRefused } from '../apps/open.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface DoctorOptions extends ClusterOptions, GitOptions {
  readonly json?: boolean;
}

/** `warning`: it works, and you may miss something. */
interface Check {
  readonly what: string;
  readonly state: 'works' | 'warning' | 'fails';
  readonly text: string;
  /** What to do. Absent: nothing. */
  readonly remedy?: string;
}

/** `serin doctor`: what works for the caller and the agent, what does not, and what to do. Exit code 3 where something fails. */
export async function doctor(context: CommandContext, options: DoctorOptions): Promise<number> {
  const checks: Check[] = [];
  try {
    await atApps(context, options, async (apps) => {
      for (const look of [ofCluster, ofDefinitions, ofRights, ofAgent, ofCanaries])
        checks.push(...(await guarded(() => look(apps, context, options))));
    });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    checks.push(
      failing(
        'cluster',
        messageOf(error),
        'kubectl get ns tells whether a cluster answers; --kubeconfig and --context name another one',
      ),
    );
  }
  checks.push(...(await guarded(() => ofGit(context, options))));
  if (options.json) context.stdout.write(`${JSON.stringify({ checks })}\n`);
  else tell(context, checks);
  return checks.some(({ state }) => state === 'fails') ? exitCodes.found : exitCodes.done;
}

type Look = (apps: Apps, context: CommandContext, options: DoctorOptions) => Promise<readonly Check[]>;

const works = (what: string, text: string): Check => ({ what, state: 'works', text });
const failing = (what: string, text: string, remedy: string): Check => ({ what, state: 'fails', text, remedy });
const doubtful = (what: string, text: string, remedy: string): Check => ({ what, state: 'warning', text, remedy });

async function guarded(look: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return [
      doubtful('look', `could not be looked at: ${messageOf(error)}`, 'try again, or as somebody with more rights'),
    ];
  }
}

const ofCluster: Look = async ({ cluster }, { signal }) => {
  try {
    return [works('cluster', `answers, version ${await cluster.version(signal)}`)];
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return [
      failing(
        'cluster',
        messageOf(error),
        'kubectl version tells the same; --kubeconfig and --context name another one',
      ),
    ];
  }
};

const ofDefinitions: Look = async ({ cluster }, { signal }) => {
  const checks: Check[] = [];
  for (const kind of ['Canary', 'MetricTemplate', 'AlertProvider']) {
    const isServed = await cluster.resource({ apiVersion: 'flagger.app/v1beta1', kind }, signal);
    checks.push(
      isServed
        ? works('definitions', `${kind} of flagger.app/v1beta1 is served`)
        : failing(
            'definitions',
            `${kind} of flagger.app/v1beta1 is not known to the cluster`,
            'kubectl apply -k manifests',
          ),
    );
  }
  return checks;
};

interface Wanted {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly subresource?: string;
  readonly lets: string;
  /** Without it nothing works. */
  readonly isNeeded?: true;
}

const ofRights: Look = async ({ cluster }, { signal }, { namespace, agentNamespace = 'serin' }) => {
  const place = namespace === undefined ? {} : { namespace };
  const wanted: readonly Wanted[] = [
    {
      verb: 'list',
      group: 'flagger.app',
      resource: 'canaries',
      ...place,
      lets: 'serin status, explain, wait',
      isNeeded: true,
    },
    {
      verb: 'patch',
      group: 'flagger.app',
      resource: 'canaries',
      ...place,
      lets: 'serin approve, hold, resume, promote, rollback, gate',
    },
    { verb: 'list', group: '', resource: 'events', ...place, lets: 'events in serin status and explain' },
    {
      verb: 'get',
      group: '',
      resource: 'secrets',
      namespace: agentNamespace,
      lets: 'numbers of checks in serin explain',
    },
    {
      verb: 'get',
      group: '',
      resource: 'configmaps',
      namespace: agentNamespace,
      lets: 'how it stands with the agent, here',
    },
  ];
  return Promise.all(
    wanted.map(async ({ lets, isNeeded, ...attributes }): Promise<Check> => {
      const where = attributes.namespace === undefined ? 'all namespaces' : attributes.namespace;
      const name = `${attributes.verb} ${attributes.resource} in ${where}`;
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        metadata: { name: '' },
        spec: { resourceAttributes: attributes },
      };
      const told = await cluster.create(review, { manager: 'serin-act' }, signal);
      if (at(told['status'], 'allowed') === true) return works('rights', `you may ${name}`);
      const remedy = `ask for ${attributes.verb} of ${attributes.group === '' ? attributes.resource : `${attributes.resource}.${attributes.group}`}${namespace === undefined ? ', or name a namespace with -n' : ''}`;
      const text = `you may not ${name}: it is needed for ${lets}`;
      return isNeeded ? failing('rights', text, remedy) : doubtful('rights', text, remedy);
    }),
  );
};

const ofAgent: Look = async ({ cluster }, { signal }, { agentNamespace = 'serin' }) => {
  const checks: Check[] = [];
  const unread = (kind: string) => (error: unknown) => {
    if (!isRefused(error)) throw error;
    checks.push(
      doubtful(
        'agent',
        `you may not read ${kind} of ${agentNamespace}`,
        `ask for the right to read them, or name its namespace with --agent-namespace`,
      ),
    );
    return undefined;
  };
  const deployments = await cluster
    .list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { namespace: agentNamespace }, signal)
    .catch(unread('Deployments'));
  const agents = (deployments ?? []).filter((one) => containerOf(one) !== undefined);
  if (deployments && agents.length === 0)
    checks.push(
      doubtful(
        'agent',
        `there is no Deployment of the agent in ${agentNamespace}`,
        'name its namespace with --agent-namespace, or install it: kubectl apply -k manifests',
      ),
    );
  for (const agent of agents) {
    const isReady = Number(at(agent['status'], 'readyReplicas') ?? 0) > 0;
    const name = namespacedName(agent.metadata);
    checks.push(
      isReady
        ? works('agent', `${name} is ready`)
        : failing(
            'agent',
            `${name} is not ready`,
            `kubectl -n ${agentNamespace} describe deployment ${agent.metadata.name}, and logs`,
          ),
    );
    checks.push(...(await ofMetrics(cluster, agent, signal)));
  }
  const maps = await cluster
    .list({ apiVersion: 'v1', kind: 'ConfigMap' }, { namespace: agentNamespace }, signal)
    .catch(unread('ConfigMaps'));
  for (const map of maps ?? []) if (/^serin-status(?:\.|$)/.test(map.metadata.name)) checks.push(...ofSource(map));
  return checks;
};

const containerOf = (deployment: KubeObject) =>
  listOf(at(deployment['spec'], 'template', 'spec', 'containers')).find(({ name }) => name === 'serin');

/** Whether the Service is there that metrics are asked of: what it answers only the agent can see. */
async function ofMetrics(cluster: Apps['cluster'], agent: KubeObject, signal: AbortSignal): Promise<readonly Check[]> {
  const container = containerOf(agent) ?? {};
  const args = Array.isArray(container['args']) ? (container['args'] as readonly unknown[]).map(String) : [];
  const index = args.findIndex((one) => one === '--metrics-server' || one.startsWith('--metrics-server='));
  const given = index === -1 ? undefined : args[index]?.includes('=') ? args[index]?.slice(17) : args[index + 1];
  const env = listOf(container['env']).find(({ name }) => name === 'SERIN_METRICS_SERVER');
  const address = given ?? textOf(env?.['value']);
  if (address === undefined || !URL.canParse(address)) return [];
  const [service = '', namespace = agent.metadata.namespace ?? '', ...rest] = new URL(address).hostname.split('.');
  if (rest.length > 0 && rest[0] !== 'svc')
    return [works('metrics', `are asked of ${address}, outside of the cluster`)];
  const found = await cluster.get({ apiVersion: 'v1', kind: 'Service', namespace, name: service }, signal);
  return [
    found
      ? works('metrics', `are asked of ${address}, and its Service is there`)
      : failing(
          'metrics',
          `are asked of ${address}, and there is no Service ${namespacedName({ namespace, name: service })}`,
          '--metrics-server of the agent names another one',
        ),
  ];
}

/** What the agent tells of a branch that it follows. */
function ofSource(map: KubeObject): readonly Check[] {
  const told = textsOf(map['data']);
  const name = `${told['branch'] ?? '?'}${told['path'] ? ` (${told['path']})` : ''}`;
  const first = (key: string): string => (told[key] ?? '').split('\n')[0]?.slice(0, 300) ?? '';
  const checks: Check[] = [];
  if (told['trouble']) checks.push(failing('source', `${name}: ${first('trouble')}`, 'the log of the agent says more'));
  if (told['problems'])
    checks.push(
      failing(
        'source',
        `${name}: ${told['problems'].split('\n').length} problems, first ${first('problems')}`,
        'serin validate says all of them, without a cluster',
      ),
    );
  if (told['blocked-outcomes'])
    checks.push(
      failing(
        'source',
        `${name}: outcomes are not in Git: ${first('blocked-outcomes')}`,
        'the agent needs the right to push to the branch, past its protection',
      ),
    );
  if (told['held'])
    checks.push(doubtful('source', `${name}: nothing is deleted: ${first('held')}`, 'it says what lets it go'));
  return checks.length > 0
    ? checks
    : [
        works(
          'source',
          `${name} is applied${told['synced'] === undefined ? '' : ` at ${told['synced'].slice(0, 12)}`}`,
        ),
      ];
}

/** Canaries that need somebody, and whether the kinds that their providers write are served. */
const ofCanaries: Look = async (apps, { signal }, { meshProvider = 'kubernetes' }) => {
  const canaries = await apps.list();
  const nowMs = Date.now();
  const facts = canaries.map((canary) => ({ canary, provider: meshProvider }));
  const needy = facts.map((one) => statusOf(one, nowMs)).filter(({ needsPerson }) => needsPerson);
  const checks: Check[] = [
    needy.length === 0
      ? works('canaries', `${canaries.length} are there, and none needs anybody`)
      : failing(
          'canaries',
          `${needy.length} of ${canaries.length} need somebody: ${needy.slice(0, 5).map(namespacedName).join(', ')}`,
          'serin status says why, and what to type',
        ),
  ];
  const used = new Map<string, string>();
  const templates = new Map<string, { readonly namespace: string; readonly name: string; readonly by: string }>();
  for (const one of facts) {
    const spec = specOf(one);
    if (typeof spec === 'string') continue;
    used.set(spec.provider, namespacedName(spec));
    for (const { templateRef } of spec.analysis.metrics)
      if (templateRef) templates.set(namespacedName(templateRef), { ...templateRef, by: namespacedName(spec) });
  }
  for (const [provider, by] of used) {
    const router = Object.hasOwn(routers, provider) ? routers[provider as keyof typeof routers] : undefined;
    if (!router) {
      checks.push(failing('providers', `${provider} of ${by} is none that is known`, 'serin providers lists them'));
      continue;
    }
    const missing: string[] = [];
    for (const kind of router.kinds)
      if (!(await apps.cluster.resource(kind, signal))) missing.push(`${kind.kind} of ${kind.apiVersion}`);
    checks.push(
      missing.length === 0
        ? works('providers', `${provider}: the cluster serves all that it writes`)
        : missing.length === router.kinds.length
          ? failing(
              'providers',
              `${provider} of ${by}: the cluster does not serve ${missing.join(', ')}`,
              `install ${provider}, or name another provider`,
            )
          : doubtful(
              'providers',
              `${provider} of ${by}: the cluster does not serve ${missing.join(', ')}`,
              'needed only where a Canary uses it',
            ),
    );
  }
  for (const [shown, { namespace, name, by }] of templates) {
    const found = await apps.cluster.get(
      { apiVersion: 'flagger.app/v1beta1', kind: 'MetricTemplate', namespace, name },
      signal,
    );
    if (!found)
      checks.push(
        failing('metrics', `the MetricTemplate ${shown} of ${by} is not there`, 'push it, or name another one'),
      );
  }
  return checks;
};

/** Reading and writing, by the caller's own git. */
async function ofGit(context: CommandContext, options: DoctorOptions): Promise<readonly Check[]> {
  try {
    return await atBranch(context, options, async (branch): Promise<readonly Check[]> => {
      const tip = await branch.tip();
      const checks: Check[] = [works('git', `${branch.name} is at ${tip.slice(0, 12)}`)];
      const refusal = await branch.mayPush(tip);
      checks.push(
        refusal === undefined
          ? works('git', `you may push to ${branch.name}`)
          : doubtful(
              'git',
              `you may not push to ${branch.name}: ${refusal}`,
              'needed for serin images release, rollback of what was promoted, and retry',
            ),
      );
      const ledgers = [...(await branch.objects.tree(tip, '')).keys()].filter((path) =>
        /(?:^|\/)\.releases\/[^/]+\/[^/]+\.yaml$/.test(path),
      );
      checks.push(
        ledgers.length > 0
          ? works('git', `it tells releases of ${ledgers.length} apps`)
          : doubtful(
              'git',
              'it tells of no release yet',
              'the agent writes a ledger when it has first seen an app; --branch names another branch',
            ),
      );
      return checks;
    });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return [
      doubtful(
        'git',
        messageOf(error),
        'go into a checkout of the repository that the agent follows, or name its settings file with --config',
      ),
    ];
  }
}

function tell({ output }: CommandContext, checks: readonly Check[]): void {
  const { colour } = output;
  const marks = { works: colour.green('works  '), warning: colour.yellow('warning'), fails: colour.red('FAILS  ') };
  for (const { what, state, text, remedy } of checks) {
    output.line(`${marks[state]}  ${colour.bold(what.padEnd(11))}  ${text}`);
    if (remedy !== undefined) output.line(`         ${' '.repeat(11)}  ${colour.dim(`-> ${remedy}`)}`);
  }
}

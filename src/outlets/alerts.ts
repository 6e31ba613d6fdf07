import { referenceProblem } from '../canary/references.ts';
import type { AlertSeverity, AlertSpec, CanarySpec, CanaryStatus } from '../canary/types.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { canonicalJson } from '../lib/hash.ts';
import { namespacedName } from '../lib/key.ts';
import type { Outbox } from '../lib/outbox.ts';
import { plainData } from '../lib/plain-text.ts';
import { withoutTrailing } from '../lib/trim.ts';
import { secretValues } from '../manifest/secret-values.ts';
import type { KubeObject } from '../manifest/types.ts';
import { checkChannel, checkUrl, parseAlertProvider, saidIn } from '../notifiers/alert-provider.ts';
import { alertFields } from '../notifiers/fields.ts';
import type { Alert, Channel, Notifier } from '../notifiers/notifier.ts';
import { alertText, type AlertValues } from '../notifiers/alert-text.ts';
import { createOneMessage } from '../notifiers/one-message.ts';
import { notifiers } from '../notifiers/registry.ts';
import type { Alerted } from './happening.ts';
import type { OutletDeps } from './outlet.ts';

export type AlertText = Pick<Alerted, 'severity' | 'message' | 'withFields'> &
  Partial<Pick<Alerted, 'commitUrl' | 'releaseId'>>;

/** What an alert is about: the Canary as this tick saw it. */
export interface AlertSubject {
  readonly canary: KubeObject;
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
}

export interface Alerts {
  /** Never waits and never throws. */
  send(effect: AlertText, subject: AlertSubject): void;
}

/** Ready to be sent to. */
interface Receiver {
  readonly notifier: Notifier;
  readonly channel: Channel & { readonly proxy?: string };
  /** See AlertProvider. */
  readonly template?: string;
}

const rank: Readonly<Record<AlertSeverity, number>> = { info: 0, warn: 1, error: 2 };
/** So long may a tick be tried again (a conflict, an unreachable API server) and tell nothing twice. */
const sameAlertMs = 600_000;
const rememberLimit = 5_000;

/** Of the app, on the dashboard. */
function pageOf(
  uiUrl: string | undefined,
  { namespace, name }: Pick<CanarySpec, 'namespace' | 'name'>,
): string | undefined {
  return uiUrl === undefined ? undefined : [withoutTrailing(uiUrl, '/'), 'apps', namespace, name].join('/');
}

/**
 * Brings alerts to their receivers, each in its own queue: neither a dead receiver nor a missing Secret is noticed by a rollout.
 * Canaries without `analysis.alerts` use the notifier of the settings. `onRefused` is told once of a provider that cannot work.
 */
export function createAlerts(
  { clock, cluster, http, log, mailer, settings }: OutletDeps,
  outbox: Outbox,
  onRefused: (subject: AlertSubject, message: string) => void,
): Alerts {
  const sentAtMs = new Map<string, number>();
  const complained = new Set<string>();
  const messages = createOneMessage({ http, clock, ...(mailer ? { mailer } : {}) });

  const isRepeated = ({ canary, status }: AlertSubject, { severity, message }: AlertText): boolean => {
    // A tick that is done again begins with the same status; one that comes to the same alert later does not.
    const key = canonicalJson([canary.metadata.uid, status, severity, message]);
    const before = sentAtMs.get(key);
    sentAtMs.delete(key);
    sentAtMs.set(key, clock.now());
    if (sentAtMs.size > rememberLimit) sentAtMs.delete(sentAtMs.keys().next().value ?? '');
    return before !== undefined && clock.now() - before < sameAlertMs;
  };

  /** Throws an AgentError in Flagger's words where the provider, its Secret or its address is missing or wrong. */
  const receiverOf = async ({ namespace, name }: AlertSpec['provider'], signal: AbortSignal): Promise<Receiver> => {
    const at = `alert provider ${name}.${namespace}`;
    const ref = { apiVersion: 'flagger.app/v1beta1', kind: 'AlertProvider', namespace, name };
    const object = await cluster.get(ref, signal);
    if (!object) throw new AgentError('CANARY_INVALID', `${at} error: alertprovider.flagger.app "${name}" not found`);
    let provider: ReturnType<typeof parseAlertProvider>;
    try {
      provider = parseAlertProvider(object);
    } catch (error) {
      throw new AgentError('CANARY_INVALID', `${at} error: ${messageOf(error)}`, { cause: error });
    }
    const { notifier, channel, username, secretName, proxy, template } = provider;
    const more = { channel, username, ...(proxy === undefined ? {} : { proxy }) };
    const texts = template === undefined ? {} : { template };
    if (secretName === undefined) return { notifier, channel: { ...more, address: provider.address ?? '' }, ...texts };
    const live = await cluster.get({ apiVersion: 'v1', kind: 'Secret', namespace, name: secretName }, signal);
    if (!live) throw new AgentError('CANARY_INVALID', `${at} secretRef error: secrets "${secretName}" not found`);
    const secret = secretValues(live);
    const address = secret['address']?.trim() ?? '';
    const token = secret['token']?.trim() ?? '';
    const signingKey = secret['signingKey'] ?? '';
    const [user, password] = [secret['username']?.trim() ?? '', secret['password'] ?? ''];
    const login = user === '' ? undefined : { user, password };
    if (address === '') throw new AgentError('CANARY_INVALID', `${at} secret does not contain an address`);
    if (token === '' && notifier.needsToken)
      throw new AgentError('CANARY_INVALID', `${at} secret does not contain a token, which ${notifier.name} needs`);
    try {
      checkUrl(`key address of Secret ${secretName}`, address, notifier.schemes);
      checkChannel(notifier, { ...more, ...saidIn(address), ...(login ? { login: true } : {}) });
    } catch (error) {
      throw new AgentError('CANARY_INVALID', `${at} secretRef error: ${messageOf(error)}`, { cause: error });
    }
    const keys = {
      ...(token === '' ? {} : { token }),
      ...(signingKey === '' ? {} : { signingKey }),
      ...(login ? { login } : {}),
    };
    return { notifier, channel: { ...more, address, ...keys }, ...texts };
  };

  const complain = (subject: AlertSubject, message: string): void => {
    const { name, namespace } = subject.spec;
    log.error({ canary: `${name}.${namespace}` }, message);
    const key = `${namespacedName({ namespace, name })} ${message}`;
    if (complained.has(key)) return;
    if (complained.size > rememberLimit) complained.clear();
    complained.add(key);
    onRefused(subject, message);
  };

  const put = (
    who: { readonly key: string; readonly failed: string },
    subject: AlertSubject,
    alert: Alert,
    told: { readonly values: AlertValues; readonly releaseId: string | undefined },
    find: (signal: AbortSignal) => Promise<Receiver>,
  ): void =>
    outbox.put(who.key, async (_sequence, signal) => {
      let found: Receiver;
      try {
        found = await find(signal);
      } catch (error) {
        signal.throwIfAborted();
        return complain(subject, messageOf(error));
      }
      const { name, namespace } = subject.spec;
      const { values, releaseId } = told;
      const release = releaseId ? `${who.key} ${namespacedName({ namespace, name })} ${releaseId}` : undefined;
      const text = plainData({ ...alert, message: alertText(found.template, values) });
      const failure = await messages.tell(found.notifier, text, found.channel, release, signal);
      if (failure === undefined) return;
      log.error({ canary: `${name}.${namespace}` }, `${who.failed}: ${failure}`);
    });

  return {
    send(effect, subject) {
      if (isRepeated(subject, effect)) return;
      const { spec, canary } = subject;
      const { severity, message } = effect;
      const options = { clusterName: settings.clusterName, withDetails: effect.withFields };
      const { namespace, name } = spec;
      const [commit, dashboard] = [effect.commitUrl, pageOf(settings.uiUrl, spec)];
      const links = [
        ...(commit === undefined ? [] : [{ name: 'Commit', value: commit }]),
        ...(dashboard === undefined ? [] : [{ name: 'Dashboard', value: dashboard }]),
      ];
      const alert: Alert = plainData({
        namespace,
        name,
        severity,
        message,
        fields: [...alertFields(spec, canary, options), ...links],
      });
      const values: AlertValues = {
        namespace,
        name,
        severity,
        message,
        target: spec.target.name,
        cluster: settings.clusterName,
        commit: commit ?? '',
        dashboard: dashboard ?? '',
      };
      const told = { values, releaseId: effect.releaseId };
      if (spec.analysis.alerts.length === 0) {
        const { notifier } = settings;
        const who = { key: 'alert', failed: "alert can't be sent" };
        if (notifier)
          put(who, subject, alert, told, async () => ({ notifier: notifiers[notifier.type], channel: notifier }));
        return;
      }
      for (const entry of spec.analysis.alerts) {
        if (rank[severity] < rank[entry.severity]) continue;
        const { provider } = entry;
        const at = `alert provider ${provider.name}.${provider.namespace}`;
        put({ key: at, failed: `${at} send error` }, subject, alert, told, async (signal) => {
          if (referenceProblem(namespace, provider.namespace, settings) !== undefined)
            throw new AgentError('CANARY_INVALID', `${at} error: references to other namespaces are not allowed`);
          return receiverOf(provider, signal);
        });
      }
    },
  };
}

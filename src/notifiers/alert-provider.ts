import { jsonOf, textOf } from '../lib/json.ts';
import { AgentError, fieldError } from '../lib/errors.ts';
import type { KubeObject } from '../manifest/types.ts';
import { checkAlertTemplate } from './alert-text.ts';
import type { ChannelToCheck, Notifier } from './notifier.ts';
import { isNotifier, notifiers } from './registry.ts';

/** An AlertProvider after parsing. */
export interface AlertProvider {
  readonly notifier: Notifier;
  /** Flagger's default: `general`. */
  readonly channel: string;
  /** Flagger's default: `flagger`. */
  readonly username: string;
  /** Only where no Secret is named. */
  readonly address?: string;
  /** Secret of the same namespace; its key `address` is needed, `token` may be there. */
  readonly secretName?: string;
  /** Go template of the text. Absent: it is told as it is. */
  readonly template?: string;
  /** URL of an HTTP proxy. Absent: the agent's. */
  readonly proxy?: string;
}

/** Throws CANARY_INVALID with what to do about it; no address is in its text. */
export function parseAlertProvider(object: KubeObject): AlertProvider {
  const spec = jsonOf(object['spec']);
  const type = textOf(spec['type']) ?? '';
  if (!isNotifier(type)) {
    const known = Object.keys(notifiers).join(', ');
    throw type === ''
      ? invalid('spec.type', `is missing; it is one of ${known}`)
      : invalid('spec.type', `notifier ${type} is not supported in this release; use one of ${known}`, ': ');
  }
  const notifier: Notifier = notifiers[type];
  const address = textOf(spec['address']);
  const secretName = textOf(jsonOf(spec['secretRef'])['name']);
  const proxy = textOf(spec['proxy']);
  const template = textOf(spec['template']);
  if (template !== undefined) checkText(template);
  if (secretName === undefined) checkUrl('spec.address', address, notifier.schemes);
  if (proxy !== undefined) checkUrl('spec.proxy', proxy);
  if (notifier.needsToken && secretName === undefined)
    throw invalid('spec.secretRef', `is missing: ${type} needs a Secret with address and token`);
  const [channel, username] = [textOf(spec['channel']) ?? 'general', textOf(spec['username']) ?? 'flagger'];
  checkChannel(notifier, { channel, username, ...(proxy === undefined ? {} : { proxy }), ...saidIn(address) });
  return {
    notifier,
    channel,
    username,
    ...(secretName === undefined ? { address: address ?? '' } : { secretName }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(template === undefined ? {} : { template }),
  };
}

function checkText(template: string): void {
  try {
    checkAlertTemplate(template);
  } catch (error) {
    if (error instanceof AgentError) throw invalid('spec.template', error.message, ': ');
    throw error;
  }
}

/** Throws CANARY_INVALID. The URL itself is never part of the text: it is a secret. */
export function checkUrl(
  field: string,
  value: string | undefined,
  schemes: readonly string[] = ['http', 'https'],
): asserts value is string {
  if (value === undefined) throw invalid(field, 'is missing');
  const scheme = /^([a-z]{1,10}):\/\//i.exec(value)?.[1]?.toLowerCase() ?? '';
  if (!schemes.includes(scheme) || !URL.canParse(value)) throw invalid(field, `is no ${schemes.join(' or ')} URL`);
}

/** Throws CANARY_INVALID of what this notifier cannot use. */
export function checkChannel(notifier: Notifier, channel: ChannelToCheck): void {
  const problem = notifier.problem?.(channel);
  if (problem) throw invalid(...problem);
}

/** What the address of a mail server says beside its place. */
export function saidIn(address: string | undefined): Pick<ChannelToCheck, 'tls' | 'login'> {
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  const tls = url?.protocol === 'smtp:' ? url.searchParams.get('tls') : null;
  return { login: url !== undefined && url.username !== '', ...(tls === null ? {} : { tls }) };
}

function invalid(field: string, message: string, between = ' '): AgentError {
  return fieldError('CANARY_INVALID', `${field}${between}${message}`, { field, message });
}

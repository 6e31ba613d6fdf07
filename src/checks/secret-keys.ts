import { AgentError, messageOf } from '../lib/errors.ts';
import { at, textOf, textsOf } from '../lib/json.ts';
import { namespacedName } from '../lib/key.ts';
import { secretValues } from '../manifest/secret-values.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { metricProviderFor, metricProviderProblem } from '../metrics/registry.ts';
import type { Notifier } from '../notifiers/notifier.ts';
import { isNotifier, notifiers } from '../notifiers/registry.ts';

interface Wrong {
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

const hint = 'add it to the Secret, or name another one';

/**
 * What is wrong with the Secret that a MetricTemplate or an AlertProvider names, where Git has it in plain text. One that is elsewhere, or encrypted, says nothing
 * here. No value is part of a text.
 */
export function secretKeysOf(object: KubeObject, secretOf: (place: string) => Manifest | undefined): readonly Wrong[] {
  if (object.kind !== 'MetricTemplate' && object.kind !== 'AlertProvider') return [];
  const isTemplate = object.kind === 'MetricTemplate';
  const provider = isTemplate ? at(object, 'spec', 'provider') : object['spec'];
  const name = textOf(at(provider, 'secretRef', 'name'));
  if (name === undefined) return [];
  const place = namespacedName({ namespace: object.metadata.namespace, name });
  const secret = secretOf(place);
  if (!secret || secret.sealed !== undefined || secret.locked) return [];
  const values = { ...secretValues(secret.object), ...textsOf(secret.object['stringData']) };
  const missing = isTemplate ? missingOfMetrics(provider, values) : missingOfAlerts(provider, values);
  if (missing === undefined) return [];
  const field = isTemplate ? 'spec.provider.secretRef.name' : 'spec.secretRef.name';
  return [{ field, message: `of Secret ${place}: ${missing}`, hint }];
}

function missingOfMetrics(provider: unknown, credentials: Readonly<Record<string, string>>): string | undefined {
  const type = textOf(at(provider, 'type')) ?? 'prometheus';
  // Told of the type itself.
  if (metricProviderProblem(type) !== undefined) return undefined;
  const found = metricProviderFor(type);
  const region = textOf(at(provider, 'region'));
  const target = {
    address: textOf(at(provider, 'address')) || (found.address ?? ''),
    ...(region === undefined ? {} : { region }),
  };
  try {
    // Its own faults are told without the Secret.
    found.check(target);
  } catch {
    return undefined;
  }
  try {
    found.check({ ...target, credentials });
    return undefined;
  } catch (error) {
    if (error instanceof AgentError) return messageOf(error);
    throw error;
  }
}

function missingOfAlerts(spec: unknown, values: Readonly<Record<string, string>>): string | undefined {
  const type = textOf(at(spec, 'type')) ?? '';
  if (!isNotifier(type)) return undefined;
  const notifier: Notifier = notifiers[type];
  const wanted = ['address', ...(notifier.needsToken ? ['token'] : [])];
  const key = wanted.find((one) => (values[one] ?? '').trim() === '');
  return key === undefined ? undefined : `the secret needs the key ${key}`;
}

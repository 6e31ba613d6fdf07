import { textOf, jsonOf } from '../canary/json.ts';
import { AgentError } from '../lib/errors.ts';
import type { KubeObject } from '../manifest/types.ts';
import { parseAlertProvider } from './alert-provider.ts';
import { isNotifier, notifiers } from './registry.ts';

/** Notifiers that Flagger has; here they come later. */
const later = ['msteams', 'discord', 'rocket', 'gchat'];

/** What can be told of an AlertProvider in Git. One that Flagger could use is only warned of: no release depends on it. */
export function alertProviderProblems(
  object: KubeObject,
): readonly { readonly field: string; readonly message: string; readonly severity: 'error' | 'warning' }[] {
  const type = textOf(jsonOf(object['spec'])['type']) ?? '';
  if (!isNotifier(type) && later.includes(type)) {
    const message = `notifier ${type} is not supported in this release, its alerts are not sent; use one of ${Object.keys(notifiers).join(', ')}`;
    return [{ field: 'spec.type', message, severity: 'warning' }];
  }
  const { address, secretRef } = jsonOf(object['spec']);
  // One that got into the cluster all the same is used, with its Secret.
  if (textOf(address) !== undefined && secretRef !== undefined && secretRef !== null) {
    const message =
      'is there beside spec.address, and the definition takes only one of them: keep the one that is meant';
    return [{ field: 'spec.secretRef', message, severity: 'error' }];
  }
  try {
    parseAlertProvider(object);
    return [];
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const [, field = 'spec', message = error.message] = /^(spec\.\w+):? (.*)$/.exec(error.message) ?? [];
    return [{ field, message, severity: 'error' }];
  }
}

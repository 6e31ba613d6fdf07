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
  try {
    parseAlertProvider(object);
    return [];
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const [, field = 'spec', message = error.message] = /^(spec\.\w+):? (.*)$/.exec(error.message) ?? [];
    return [{ field, message, severity: 'error' }];
  }
}

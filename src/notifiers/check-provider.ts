import { textOf, jsonOf } from '../lib/json.ts';
import { AgentError, saidOf } from '../lib/errors.ts';
import type { KubeObject } from '../manifest/types.ts';
import { parseAlertProvider } from './alert-provider.ts';

/** What can be told of an AlertProvider in Git. */
export function alertProviderProblems(
  object: KubeObject,
): readonly { readonly field: string; readonly message: string; readonly severity: 'error' }[] {
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
    return [{ ...saidOf(error), severity: 'error' }];
  }
}

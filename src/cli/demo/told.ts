import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../lib/errors.ts';
import type { Output } from '../output.ts';
import type { Stage } from './stage.ts';

export interface Patience {
  readonly startedMs: number;
  /** From then on nothing is waited for. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Throws CLUSTER_UNREACHABLE where it takes too long. */
export async function awaited(
  reached: () => boolean | Promise<boolean>,
  what: string,
  { startedMs, deadlineMs, signal }: Patience,
): Promise<void> {
  while (!(await reached())) {
    if (Date.now() - startedMs > deadlineMs)
      throw new AgentError('CLUSTER_UNREACHABLE', `Waited too long for this: ${what}.`);
    await sleep(100, undefined, { signal });
  }
}

/** Commands as if a person had run them, with what they print. */
export function printGit(output: Output): {
  readonly heading: (text: string) => void;
  readonly print: (text: string) => void;
} {
  return {
    heading(text) {
      output.line();
      output.line(output.colour.bold(text));
    },
    print(text) {
      for (const line of text.trimEnd().split('\n')) output.line(`  ${line}`);
    },
  };
}

export async function tellCanaries(output: Output, { cluster }: Stage): Promise<void> {
  printGit(output).heading('$ kubectl get canaries --all-namespaces');
  const canaries = await cluster.list(
    { apiVersion: 'flagger.app/v1beta1', kind: 'Canary' },
    {},
    AbortSignal.timeout(10_000),
  );
  const rows = canaries.map(({ metadata, ...object }) => {
    const status = object['status'] as
      | { phase?: string; canaryWeight?: number; lastTransitionTime?: string }
      | undefined;
    return [
      `  ${metadata.namespace ?? ''}`,
      metadata.name,
      status?.phase ?? '',
      String(status?.canaryWeight ?? ''),
      status?.lastTransitionTime ?? '',
    ];
  });
  output.table([['  NAMESPACE', 'NAME', 'STATUS', 'WEIGHT', 'LASTTRANSITIONTIME'], ...rows]);
}

import { type CommandContext, exitCodes } from '../context.ts';
import { providerList, providerTables } from '../provider-list.ts';

/** `serin providers`: what Canaries, MetricTemplates and AlertProviders may name, and what it can do. Asks nobody. */
export function providers({ output, stdout }: CommandContext, { json = false }: { readonly json?: boolean }): number {
  if (json) {
    stdout.write(`${JSON.stringify(providerList())}\n`);
    return exitCodes.done;
  }
  const { routers, metrics, notifiers } = providerTables();
  const sorts = [
    ['Routing providers of Canaries', routers],
    ['Metrics providers of MetricTemplates', metrics],
    ['Notifiers of AlertProviders', notifiers],
  ] as const;
  for (const [title, rows] of sorts) {
    if (rows !== routers) output.line();
    output.line(output.colour.bold(title));
    output.table(rows.map((row) => row.map((cell) => cell.replaceAll('`', ''))));
  }
  return exitCodes.done;
}

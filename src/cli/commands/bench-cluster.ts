import { own } from '../../lib/own.ts';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { farMs, type Server } from '../../bench/api-server.ts';
import type { Round, Way } from '../../bench/fleet-round.ts';
import { benchOnCluster } from '../../bench/on-cluster.ts';
import { figuresOf, goalCanaries, isMissed, requestRows, restRows, rowsOf } from '../../bench/round-table.ts';
import { type CommandContext, exitCodes } from '../context.ts';

/** As given on the command line. */
export interface BenchClusterOptions {
  readonly canaries: string;
  readonly way: string;
  readonly rest: string;
  readonly server: string;
  readonly serverCores?: string;
  readonly kubeconfig?: string;
  readonly json?: boolean;
}

const ways: Readonly<Record<string, readonly Way[]>> = {
  both: ['cluster', 'git'],
  cluster: ['cluster'],
  git: ['git'],
};
const servers: readonly Server[] = ['plain', 'one-core', 'far'];
const serverTitles = {
  plain: '',
  'one-core': ', the API server held to one core',
  far: `, each answer of the API server ${farMs} ms later`,
} as const;
const titles = {
  cluster: 'all targets patched in the cluster, as Flagger was measured',
  git: 'all targets changed by one commit, outcomes written to Git',
} as const;

/**
 * `serin bench --cluster`: what the agent costs on a real API server, beside a Flagger that was measured in the same way.
 * Exit codes: 0 all goals are met, 3 one is missed, 1 something could not be measured.
 */
export async function benchCluster(context: CommandContext, options: BenchClusterOptions): Promise<number> {
  const { output, signal, stderr, environment } = context;
  const { colour } = output;
  const startedMs = Date.now();
  const missed: string[] = [];
  const rounds: Round[] = [];
  const print = (round: Round): void => {
    output.line();
    output.line(colour.bold(titleOf(round)));
    output.table(indented(rowsOf(round)));
    output.line();
    output.line('  requests per promotion, as the agent counts them');
    output.table(indented(indented(requestRows(round))));
    const atRest = restRows(round);
    if (atRest.length === 0) return;
    output.line('  requests at rest, all of them');
    output.table(indented(indented(atRest)));
  };
  const measuring = benchOnCluster(
    {
      ...parsed(options),
      kubeconfigPath: options.kubeconfig ?? kubeconfigOf(environment),
      say: (text) =>
        void stderr.write(`${String(Math.round((Date.now() - startedMs) / 1_000)).padStart(5)} s  ${text}\n`),
      onRound: (round) => {
        rounds.push(round);
        if (round.canaries === goalCanaries) {
          for (const figure of figuresOf(round).filter(isMissed))
            missed.push(`${figure.what} (${titles[round.way]}${serverTitles[round.server]})`);
        }
        if (!options.json) print(round);
      },
    },
    signal,
  );
  try {
    await measuring;
  } catch (error) {
    if (error instanceof AgentError) throw error;
    stderr.write(`serin: ${signal.aborted ? 'ended before everything was measured' : messageOf(error)}\n`);
    return exitCodes.failed;
  }
  if (options.json) output.line(JSON.stringify({ rounds, missed }, undefined, 2));
  else {
    output.line();
    if (missed.length > 0) output.line(colour.yellow(`Missed: ${missed.join('; ')}.`));
    else if (rounds.some(({ canaries }) => canaries === goalCanaries)) output.line(colour.green('All goals are met.'));
    else output.line(`No goals: they are for ${goalCanaries} canaries.`);
  }
  return missed.length > 0 ? exitCodes.found : exitCodes.done;
}

const titleOf = ({ canaries, way, server }: Round): string =>
  `${canaries} canaries, ${titles[way]}${serverTitles[server]}`;

function parsed({ canaries, way, rest, server, serverCores }: BenchClusterOptions): {
  readonly canaries: readonly number[];
  readonly ways: readonly Way[];
  readonly restSeconds: number;
  readonly servers: readonly Server[];
  readonly serverCores?: number;
} {
  const wrong = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);
  const sizes = canaries.split(',').map(Number);
  if (sizes.some((size) => !Number.isInteger(size) || size < 1 || size > 9_999))
    throw wrong(`--canaries: "${canaries}" is no list of sizes; write it like 10,100,1000`);
  const chosen = own(ways, way);
  if (chosen === undefined) throw wrong(`--way: "${way}" is none of ${Object.keys(ways).join(', ')}`);
  const restSeconds = Number(rest);
  if (!(restSeconds >= 10)) throw wrong(`--rest: "${rest}" is no number of seconds from 10 on`);
  const named = server.split(',');
  const known = servers.filter((one) => named.includes(one));
  if (known.length < new Set(named).size) throw wrong(`--server: "${server}" is no list of ${servers.join(', ')}`);
  const cores = serverCores === undefined ? undefined : Number(serverCores);
  if (cores !== undefined && !(cores > 0)) throw wrong(`--server-cores: "${serverCores}" is no number of cores`);
  return {
    canaries: sizes,
    ways: chosen,
    restSeconds,
    servers: known,
    ...(cores === undefined ? {} : { serverCores: cores }),
  };
}

const kubeconfigOf = (environment: CommandContext['environment']): string =>
  environment['KUBECONFIG']?.split(delimiter)[0] ?? join(homedir(), '.kube', 'config');

const indented = (rows: readonly (readonly string[])[]): readonly (readonly string[])[] =>
  rows.map((row) => row.map((cell, index) => (index === 0 ? `  ${cell}` : cell)));

import type { Problem } from '../manifest/types.ts';
import type { Output } from './output.ts';

/** One line of what is wrong. */
export function shownProblem({ path, line, severity, message, hint }: Problem, colour: Output['colour']): string {
  const mark = severity === 'error' ? colour.red('error') : colour.yellow('warning');
  return `${colour.bold(`${path}:${line}`)} ${mark} ${message}${hint === undefined ? '' : colour.dim(` (${hint})`)}`;
}

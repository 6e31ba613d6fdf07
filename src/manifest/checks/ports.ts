import type { Finding } from './finding.ts';

type Wrong = Omit<Finding, 'field'>;

export const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const longestPortName = 15;

/** What is wrong with a name of a container's port, or one that a Service or a probe leads to. */
export function wrongPortName(name: string): Wrong | undefined {
  const shown = JSON.stringify(name.slice(0, 80));
  if (name.length > longestPortName)
    return { message: `${shown} is too long: names of ports have at most ${longestPortName} characters` };
  if (!label.test(name) || name.includes('--'))
    return { message: `${shown} is no name of a port`, hint: 'use small letters, digits and single "-" between them' };
  return /[a-z]/.test(name)
    ? undefined
    : { message: `${shown} is no name of a port`, hint: 'write a number without quotes, or a name with a letter' };
}

/** A number or a name, as probes and Services lead to. */
export function wrongTarget(value: unknown): Wrong | undefined {
  if (value === undefined || value === null || value === 0) return undefined;
  if (typeof value === 'string') return wrongPortName(value);
  return isPort(value) ? undefined : { message: `${JSON.stringify(value)} is no port number` };
}

/** A DNS label, as names of containers, volumes and ports of Services are. */
export function wrongLabel(name: string): Wrong | undefined {
  if (label.test(name) && name.length <= 63) return undefined;
  return {
    message: `${JSON.stringify(name.slice(0, 80))} is no valid name`,
    hint: 'use at most 63 small letters, digits and "-", beginning and ending with a letter or digit',
  };
}

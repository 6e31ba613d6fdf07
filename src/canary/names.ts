/** Names of what is made beside a target, Service, autoscaler or config, as Flagger gives them. */
export const primaryName = (name: string): string => `${name}-primary`;
export const canaryName = (name: string): string => `${name}-canary`;

/** Whether something has the name of what is made for a primary. */
export const isPrimaryName = (name: string): boolean => name.endsWith('-primary');

/** What it was made of, by its name; the very name where it is none of these. */
export const baseName = (name: string): string => name.replace(/-(?:primary|canary)$/, '');

/**
 * Whether one resourceVersion of an object is another or later. Those of Kubernetes are decimal numbers that grow; of any others only
 * equality is known.
 */
export function isAtLeast(version: string | undefined, other: string): boolean {
  if (version === undefined || version === other) return version === other;
  const areNumbers = /^[1-9]\d*$/.test(version) && /^[1-9]\d*$/.test(other);
  return areNumbers && (version.length === other.length ? version > other : version.length > other.length);
}

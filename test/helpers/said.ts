import type { Finding } from '../../src/canary/types.ts';

/** A finding of which only the text matters. */
export function said(text: string, lines?: readonly string[]): Finding {
  return { kind: 'said', text, ...(lines === undefined ? {} : { lines }) };
}

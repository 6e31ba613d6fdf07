import type { Json } from '../lib/json.ts';

/** Under which name the analysis stands: API servers never store `canaryAnalysis`, files in Git may still have it. */
export function analysisFieldOf(spec: Json): 'analysis' | 'canaryAnalysis' {
  return spec['analysis'] === undefined && spec['canaryAnalysis'] !== undefined ? 'canaryAnalysis' : 'analysis';
}

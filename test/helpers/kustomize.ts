import { existsSync } from 'node:fs';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../node_modules/.cache/serin-tools/kustomize-v5.8.2');

/** The real program, as `npm run tools` builds it. Undefined: it was not built, so what needs it cannot be tested. */
export const kustomizeProgram: string | undefined = existsSync(program) ? program : undefined;

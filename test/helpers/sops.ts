import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const program = join(import.meta.dirname, '../../node_modules/.cache/serin-tools/sops-v3.13.3');

/** The real program, as `npm run tools` builds it. Undefined: it was not built, so what needs it cannot be tested. */
export const sopsProgram: string | undefined = existsSync(program) ? program : undefined;

/** Pairs that nobody uses for anything else. */
export const ageKey = {
  recipient: 'age1dqhf0e3dx76pqfryyhsfg946kgva2ynr7lalg4s9ktkgdlal6erqkq9ax8',
  identity: 'AGE-SECRET-KEY-1SPNZZFJX43PACPVQAM35A0W0JLX3YTA6D399XYW7T9J7578SW3AQD03MQ9',
};
export const otherAgeKey = {
  recipient: 'age1cyptkgy90lhrhwfmf2l9wm0kraatqe7tlwkxchhvq69ekl4jtf8szty263',
  identity: 'AGE-SECRET-KEY-1ZP47JUA6R933JW7XKE7X5Z8C478838HQ5Y9GVVJVHLK86VRVGPVQQCPX6M',
};

/** As people encrypt Secrets: what is in them, and not what they are. `wholly`: everything in the file. */
export function encrypted(
  text: string,
  format: 'yaml' | 'json' | 'dotenv' | 'ini' | 'binary' = 'yaml',
  { to = ageKey.recipient, wholly = format !== 'yaml' } = {},
): string {
  const args = [
    'encrypt',
    '--filename-override',
    `x.${format}`,
    '--age',
    to,
    '--input-type',
    format,
    '--output-type',
    format,
  ];
  return execFileSync(sopsProgram ?? '', [...args, ...(wholly ? [] : ['--encrypted-regex', '^(data|stringData)$'])], {
    input: text,
    encoding: 'utf8',
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
  });
}

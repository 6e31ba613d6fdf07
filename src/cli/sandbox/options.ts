import { settings as knownSettings } from '../../config/settings.ts';
import { AgentError } from '../../lib/errors.ts';

const maxSpeed = 100;

/** Of `--fast`. Throws CONFIG_INVALID. */
export function speedOf(text: string): number {
  const speed = Number(text);
  if (text.trim() !== '' && speed >= 1 && speed <= maxSpeed) return speed;
  throw new AgentError('CONFIG_INVALID', `--fast is ${text}; write a number from 1 to ${maxSpeed}`);
}

/**
 * `--name value` and `--name=value`, as behind `serin run`; which names and values there are, `serin run` itself says.
 * Throws CONFIG_INVALID for names that there are not.
 */
export function settingsOf(words: readonly string[], withAgent: boolean): Readonly<Record<string, string>> {
  const refuse = (why: string): never => {
    throw new AgentError('CONFIG_INVALID', why);
  };
  if (words.length > 0 && !withAgent) refuse(`"${words.join(' ')}" is a setting of the agent; add --agent`);
  const named: Record<string, string> = {};
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const [, name = '', given] =
      /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? refuse(`"${word}" is no setting; write --name value`);
    const known = knownSettings.find((entry) => entry.name === name);
    if (!known) refuse(`--${name} is no setting; run "serin run --help"`);
    const next = words[index + 1];
    const takesNext =
      given === undefined && next !== undefined && (known?.kind !== 'flag' || /^(true|false)$/.test(next));
    if (takesNext) index += 1;
    named[name] = given ?? (takesNext ? next : known?.kind === 'flag' ? 'true' : refuse(`--${name} has no value`));
  }
  return named;
}

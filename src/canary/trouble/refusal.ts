import { clipped, type PodTrouble } from './trouble.ts';

/** Why the API server takes no pod of a workload, from its words. */
export function refusalTrouble(owner: string, message: string): PodTrouble {
  const detail = `${owner}: ${clipped(message, 400)}`;
  const text = message.slice(0, 4_000);
  const quota = /exceeded quota: ([^\s,]+)(?:, requested: ([^\s]+))?/.exec(text);
  if (quota) {
    const [, name = '', asked] = quota;
    const what = asked === undefined ? '' : ` (${clipped(asked.replace(/,$/, ''), 60)})`;
    return { cause: 'quota', summary: `quota ${clipped(name, 40)} is exceeded${what}`, detail };
  }
  const unmet = /failed quota: ([^\s:]+): must specify ([^\n]+)/.exec(text);
  if (unmet) {
    const [, name = '', fields = ''] = unmet;
    return { cause: 'quota', summary: `quota ${clipped(name, 40)} asks for ${clipped(fields, 60)}`, detail };
  }
  const account = /serviceaccounts? "([^"]+)" not found/i.exec(text)?.[1];
  if (account !== undefined)
    return { cause: 'refused', summary: `ServiceAccount ${clipped(account, 60)} is missing`, detail };
  const priority = /no PriorityClass with name (\S+) was found/.exec(text)?.[1];
  if (priority !== undefined)
    return { cause: 'refused', summary: `PriorityClass ${clipped(priority, 60)} is missing`, detail };
  const security = /violates PodSecurity "([^":]+)[^"]*":\s*([^\n]*)/.exec(text);
  if (security) {
    const [, level = '', why = ''] = security;
    const first = why.split(' (')[0] ?? why;
    return { cause: 'refused', summary: `pod is refused by PodSecurity ${level}: ${clipped(first, 60)}`, detail };
  }
  const hook = /admission webhook "([^"]+)" denied the request:?\s*([^\n]*)/.exec(text);
  if (hook) {
    const [, name = '', why = ''] = hook;
    const because = why === '' ? '' : `: ${clipped(why, 80)}`;
    return { cause: 'refused', summary: `pod is refused by webhook ${clipped(name, 40)}${because}`, detail };
  }
  const policy = /ValidatingAdmissionPolicy '([^']+)'.*denied request:?\s*([^\n]*)/.exec(text);
  if (policy) {
    const [, name = '', why = ''] = policy;
    return { cause: 'refused', summary: `pod is refused by policy ${clipped(name, 40)}: ${clipped(why, 80)}`, detail };
  }
  const unreachable = /failed calling webhook "([^"]+)"/.exec(text)?.[1];
  if (unreachable !== undefined)
    return { cause: 'refused', summary: `admission webhook ${clipped(unreachable, 60)} does not answer`, detail };
  const why = text.replace(/^.*?\b(?:is forbidden|is invalid): /s, '');
  return { cause: 'refused', summary: `pod is refused: ${clipped(why, 100)}`, detail };
}

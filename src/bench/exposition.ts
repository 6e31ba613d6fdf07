/** One line of Prometheus' text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The samples of these metrics; comments, other metrics and what is no number are left out. */
export function samplesOf(text: string, names: readonly string[]): readonly Sample[] {
  const wanted = new Set(names);
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const name = /^[A-Za-z_:][\w:]*/.exec(line)?.[0];
    if (name === undefined || !wanted.has(name)) continue;
    const braced = line[name.length] === '{';
    const close = braced ? line.lastIndexOf('}') : name.length - 1;
    const value = Number(
      line
        .slice(close + 1)
        .trim()
        .split(/\s+/)[0],
    );
    if (Number.isNaN(value)) continue;
    samples.push({ name, labels: braced ? labelsOf(line.slice(name.length + 1, close)) : {}, value });
  }
  return samples;
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, '$1')]));
}

export function sumOf(samples: readonly Sample[], name: string, where: Readonly<Record<string, string>> = {}): number {
  const isMeant = ({ labels }: Sample): boolean => Object.entries(where).every(([key, value]) => labels[key] === value);
  return samples.filter((sample) => sample.name === name && isMeant(sample)).reduce((sum, { value }) => sum + value, 0);
}

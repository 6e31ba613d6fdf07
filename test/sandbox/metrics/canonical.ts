/** What `/api/v1/query` answers. */
export interface Answered {
  readonly status: string;
  readonly errorType?: string;
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

/** Sorted by labels: neither server promises an order. */
export function canonical({ status, errorType, data }: Answered): unknown {
  if (!data) return { status, errorType };
  const { resultType, result } = data;
  if (resultType !== 'vector' && resultType !== 'matrix') return data;
  const rows = (result as { metric: Record<string, string> }[]).map((row) => ({
    ...row,
    metric: Object.entries(row.metric).sort(([a], [b]) => (a < b ? -1 : 1)),
  }));
  const keyed = rows.map((row) => ({ row, key: JSON.stringify(row.metric) }));
  return { resultType, rows: keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row) };
}

/** Numbers that differ only by the order of additions become equal. */
export function rounded(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_key, item: unknown) => {
    if (typeof item !== 'string' || item.trim() === '' || !Number.isFinite(Number(item))) return item;
    return Number(item)
      .toPrecision(9)
      .replace(/^-(0\.0+)$/, '$1');
  });
}

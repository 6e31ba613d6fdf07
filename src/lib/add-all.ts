/** `into.push(...items)` for lists of any length: an argument for each of 130,000 items is more than a call can have. */
export function addAll<Item>(into: Item[], items: readonly Item[]): void {
  for (const item of items) into.push(item);
}

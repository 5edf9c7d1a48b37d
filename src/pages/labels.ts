/** The labels that there are, the smallest first. */
export function distinctLabels(labels: Iterable<number>): readonly number[] {
  return [...new Set(labels)].sort((a, b) => a - b)
}

import { BoxTree } from './box-tree.js'
import type { LabelledEmbedding, Scoring } from './linear-probe.js'

/** How many neighbours vote. */
export const neighbourCount = 5

/**
 * Share of `scored` whose label is that of most of the five nearest embeddings in `train`; between labels with as many
 * votes, that of the nearest. Exact (Fix and Hodges 1951).
 */
export function nearestNeighbourAccuracy(
  train: LabelledEmbedding,
  scored: LabelledEmbedding,
  latent: number,
  scoring: Scoring,
): number {
  const tree = new BoxTree(train.embedding, latent)
  let hits = 0
  scored.labels.forEach((label, image) => {
    const point = scored.embedding.subarray(image * latent, (image + 1) * latent)
    const nearest = tree.nearest(point, neighbourCount, scoring === 'left-out' ? image : -1)
    if (mostVotes(nearest.map((index) => train.labels[index]!)) === label) hits++
  })
  return hits / scored.labels.length
}

/** Of labels in order of nearness; undefined of none. */
function mostVotes(labels: readonly number[]): number | undefined {
  const votes = (label: number) => labels.filter((other) => other === label).length
  return labels.reduce<number | undefined>(
    (best, label) => (best === undefined || votes(label) > votes(best) ? label : best),
    undefined,
  )
}

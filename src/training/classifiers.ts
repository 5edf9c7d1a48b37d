// Two classifiers on the embedding: a linear probe, and nearest neighbours.
import { measure } from '../engines/measures.js'
import type { LabelledEmbedding } from '../engines/native/binding.js'

/**
 * "apart": the scored images are not train images. "left-out": they are the first train images, each left out of the
 * fit that scores it.
 */
export type Scoring = 'apart' | 'left-out'

/**
 * Returns the share of `scored` whose label a linear map predicts from the embedding, fitted on `train`.
 * @throws the signal's reason once it is aborted.
 */
export async function linearProbeAccuracy(
  train: LabelledEmbedding,
  scored: LabelledEmbedding,
  latent: number,
  scoring: Scoring,
  signal?: AbortSignal,
): Promise<number> {
  const probe = { train, scored, latent, leaveOut: scoring === 'left-out' }
  return (await measure((core) => core.countProbeHits(probe), signal)) / scored.labels.length
}

/** Number of neighbours that vote. */
export const neighbourCount = 5

interface NeighbourSearch {
  readonly latent: number
  readonly scoring: Scoring
  readonly threads: number
  /** Once aborted, the search throws the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Returns the share of `scored` whose label is the majority label of the five nearest embeddings in `train` (Fix and
 * Hodges 1951). A tie between labels goes to the label of the nearest. The search is exact.
 */
export async function nearestNeighbourAccuracy(
  train: LabelledEmbedding,
  scored: LabelledEmbedding,
  search: NeighbourSearch,
): Promise<number> {
  const nearest = await nearestIndices(train.embedding, scored.embedding, search)
  let hits = 0
  for (let image = 0; image < scored.labels.length; image++)
    if (mostVotes(nearest, image * neighbourCount, train.labels) === scored.labels[image]) hits++
  return hits / scored.labels.length
}

/**
 * Returns [queries][neighbourCount] indices, the nearest first, the lower index first if equally near, −1 if there are
 * too few points.
 */
export async function nearestIndices(
  points: Float32Array,
  queries: Float32Array,
  { latent, scoring, threads, signal }: NeighbourSearch,
): Promise<Int32Array> {
  const task = {
    ...{ points, queries, dimensions: latent },
    neighbours: neighbourCount,
    leaveOut: scoring === 'left-out',
    threads,
  }
  return measure((core) => core.findNeighbours(task), signal)
}

/** Returns the majority label of the neighbours from `first` on, the nearest one's in a tie; undefined if there are none. */
function mostVotes(nearest: Int32Array, first: number, labels: Uint8Array): number | undefined {
  let [best, most]: [number | undefined, number] = [undefined, 0]
  for (let i = first; i < first + neighbourCount; i++) {
    const label = labels[nearest[i]!]
    let votes = 0
    for (let j = first; j < first + neighbourCount; j++) if (labels[nearest[j]!] === label) votes++
    if (label !== undefined && votes > most) [best, most] = [label, votes]
  }
  return best
}

import { type Counts, type RunRow, type Summary, statuses } from './state.js'

/**
 * Counts the runs and estimates the time that the running and waiting ones take.
 * @param isFollowed whether a sweep starts the waiting runs; it may have none running for a moment
 */
export function summaryOf(
  rows: readonly RunRow[],
  isFollowed: boolean,
): Pick<Summary, 'counts' | 'secondsPerEpoch' | 'secondsLeft'> {
  const counts = Object.fromEntries(statuses.map((status) => [status, 0])) as Record<keyof Counts, number>
  for (const { status } of rows) counts[status]++
  const running = rows.filter(({ status }) => status === 'running')
  const complete = rows.filter(({ status }) => status === 'completed')
  const measured = running.length > 0 ? running : complete
  const secondsPerEpoch = meanOf(measured.flatMap((row) => row.secondsPerEpoch ?? []))
  return {
    counts,
    secondsPerEpoch,
    secondsLeft: secondsLeft(rows, isFollowed, secondsPerEpoch),
  }
}

/** Assumes that as many runs train at once as now, and that the waiting runs take as long as the completed ones. */
function secondsLeft(rows: readonly RunRow[], isFollowed: boolean, pace: number | null): number | null {
  const of = (status: RunRow['status']) => rows.filter((row) => row.status === status)
  const [running, waiting] = [of('running'), of('waiting')]
  const isBusy = running.length > 0 || (isFollowed && waiting.length > 0)
  if (!isBusy || pace === null) return null
  const left = running.map(
    ({ epoch, epochs, secondsPerEpoch }) => ((epochs ?? 0) - epoch) * (secondsPerEpoch ?? pace),
  )
  const wholeRun =
    meanOf(of('completed').flatMap(({ seconds }) => seconds ?? [])) ??
    pace * (meanOf(running.flatMap(({ epochs }) => epochs ?? [])) ?? 0)
  const work = left.reduce((sum, seconds) => sum + seconds, 0) + waiting.length * wholeRun
  return Math.max(work / Math.max(1, running.length), ...left)
}

function meanOf(values: readonly number[]): number | null {
  if (values.length === 0) return null
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

// The targets of the native engine, compared with the results of one run. Parts that were not measured are omitted.

import { peersOf } from './peers.mjs'
import { median } from './turns.mjs'

export function targets({ sections, process: whole, history }) {
  const part = (name) => sections.find((section) => section.name === name)?.measurements
  return [
    ...besidePeers(part('peers') ?? []),
    ...besideTopK(part('arms') ?? []),
    ...besideLatentTopK(part('losses') ?? []),
    ...linearity(part('growth') ?? []),
    ...shortRuns(part('sweeps') ?? []),
    ...wholeProcess(whole),
    ...besideHistory(history),
  ]
}

function besidePeers(measurements) {
  const limits = [
    { batch_size: 64, threads: 2, floor: 1.27, peer: 4 },
    { batch_size: 256, threads: 2, floor: 1.05, peer: 3 },
    { batch_size: 64, threads: 1, floor: 1.25 },
    { name: 'eigenae, batch norm', batch_size: 64, threads: 2, floor: 1.25, peer: 4 },
  ]
  return limits.flatMap(({ name = 'eigenae', batch_size, threads, floor, peer }) => {
    const isOurs = (each) => each.name === name && each.batch_size === batch_size && each.threads === threads
    const ours = measurements.find(isOurs)
    if (ours === undefined) return []
    const peers = peersOf(ours, measurements)
    const what = `${name}, batch ${batch_size}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
    const toFloor = atMost(`${what}: time over the floor`, floor, ours.times_floor)
    if (peer === undefined || peers.length === 0) return [toFloor]
    const best = Math.min(...peers.map((each) => each.median))
    return [toFloor, atLeast(`${what}: speed over the better peer`, peer, best / ours.median)]
  })
}

function besideTopK(measurements) {
  const find = (name, batch = 64) =>
    measurements.find((each) => each.name === name && each.batch_size === batch)
  const overTopK = (name, limit, batch = 64) => {
    const [job, topK] = [find(name, batch), find('top-k', batch)]
    return job ? [atMost(`${name}, batch ${batch}: time over top-k's`, limit, job.median / topK.median)] : []
  }
  const overFloor = (name, batch) => {
    const job = find(name, batch)
    return job ? [atMost(`${name}, batch ${batch}: time over its floor`, 1.5, job.times_floor)] : []
  }
  return [
    ...['none', 'log-max', 'batch norm all'].flatMap((name) => overTopK(name, 1.15)),
    ...['latent 2', 'latent 4', 'latent 64, none'].flatMap((name) => overTopK(name, 1.1)),
    ...overTopK('latent 64', 1.1, 256),
    ...[
      ['784-256-128-32', 64],
      ['784-512-256-128-64, none', 64],
      ['784-512-256-128-64', 256],
    ].flatMap((each) => overFloor(...each)),
  ]
}

/** The times of eigen losses, averaging and schedules relative to top-k on the latent layer, or to no eigen loss. */
function besideLatentTopK(measurements) {
  const limits = {
    'kl-diagonal on hidden layers': { base: 'none', limit: 1.2 },
    'kl-normal on layers of at most 64': { base: 'none', limit: 1.5 },
    'top-k and averaging': { base: 'top-k', limit: 1.05 },
    'top-k and schedules': { base: 'top-k', limit: 1.05 },
  }
  return measurements
    .filter(({ name }) => name !== 'none' && name !== 'top-k')
    .map(({ name, seconds }) => {
      const { base, limit } = limits[name] ?? { base: 'top-k', limit: 1.1 }
      const baseSeconds = measurements.find((each) => each.name === base).seconds
      // The jobs of a round run within the same minute.
      const ratio = median(seconds.map((each, round) => each / baseSeconds[round]))
      return atMost(`${name}: time over that of ${base}`, limit, ratio)
    })
}

/** Returns the largest deviation of a job's time per image or per epoch from that of the largest job in the same round. */
function linearity(measurements) {
  const deviation = (pattern, size) => {
    const group = measurements.filter(({ name }) => pattern.test(name))
    if (group.length === 0) return []
    const largest = group.reduce((a, b) => (size(b) > size(a) ? b : a))
    const offLinear = (job) => {
      const cost = (each, round) => each.seconds[round] / size(each)
      return Math.abs(median(job.seconds.map((_, round) => cost(job, round) / cost(largest, round))) - 1)
    }
    return [Math.max(...group.map(offLinear))]
  }
  return [
    ...deviation(/images$/, ({ images }) => images).map((off) =>
      atMost('growth with images: off linear', 0.05, off),
    ),
    ...deviation(/epochs?$/, ({ epochs }) => epochs).map((off) =>
      atMost('growth with epochs: off linear', 0.05, off),
    ),
  ]
}

function shortRuns(measurements) {
  const ours = measurements.find(({ name }) => name === 'eigenae')
  if (ours === undefined) return []
  const { share_in_epochs, milliseconds_beside_epochs } = ours.facts
  return [
    atLeast('a sweep of short runs: share of the cores in epochs', 0.9, share_in_epochs),
    atMost(
      'a sweep of short runs: milliseconds of a core beside the epochs of a run',
      60,
      milliseconds_beside_epochs,
    ),
  ]
}

function besideHistory(history) {
  return history === undefined
    ? []
    : [atMost(`an epoch: time over that of ${history.against}`, 1.02, history.epoch_ratio)]
}

function wholeProcess(whole) {
  if (whole === undefined) return []
  const limit = 1.15 * whole.train_seconds + 0.25
  const time = atMost(
    'whole command: seconds (1.15 × its epochs + 0.25)',
    Number(limit.toFixed(2)),
    whole.seconds,
  )
  const memory = whole.peak_memory_megabytes
  return memory === null ? [time] : [time, atMost('whole command: peak memory, MB', 400, memory)]
}

function atMost(what, limit, value) {
  return { what, limit: `≤ ${limit}`, measured: shown(value), met: value <= limit }
}

function atLeast(what, limit, value) {
  return { what, limit: `≥ ${limit}`, measured: shown(value), met: value >= limit }
}

function shown(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value < 0.1 ? 3 : 2)
}

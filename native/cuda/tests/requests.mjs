// The requests of emulate.cc and their responses. A spec is a CoreSpec of src/engines/core.ts.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const trainingNoise = 3 // native/core/random.h

/** A request: int32, float64, and arrays after their length. */
export class Message {
  #parts = []

  integers(...values) {
    return this.#add(Int32Array.from(values))
  }

  reals(...values) {
    return this.#add(Float64Array.from(values))
  }

  array(values) {
    return this.integers(values.length).#add(values)
  }

  bytes() {
    return Buffer.concat(this.#parts)
  }

  #add({ buffer, byteOffset, byteLength }) {
    this.#parts.push(Buffer.from(Buffer.from(buffer, byteOffset, byteLength)))
    return this
  }
}

/** A response: arrays after their length. */
export class Reader {
  #bytes
  #at = 0

  constructor(bytes) {
    this.#bytes = bytes
  }

  floats() {
    return new Float32Array(this.#array(4))
  }

  doubles() {
    return new Float64Array(this.#array(8))
  }

  #array(elementBytes) {
    const begin = this.#at + 4
    this.#at = begin + this.#bytes.readInt32LE(this.#at) * elementBytes
    return Uint8Array.from(this.#bytes.subarray(begin, this.#at)).buffer
  }
}

/** Begins a request to train some models in one launch; addModel adds each. */
export function trainRequest(models) {
  return new Message().integers(0, models)
}

/** Adds a model, in the order in which emulate.cc reads it. */
export function addModel(request, spec, state, batches, images) {
  const { order, clean, noisy, epoch, count, first = 0, values } = batches
  const { optimizer, eigenLosses } = spec
  const [kind, ...constants] = optimizer
  request.integers(kind).reals(...constants, spec.averaging, spec.slope, spec.noise)
  request.integers(spec.seed, trainingNoise, epoch, count, first, eigenLosses.length)
  for (const { center, minimumImages, tapes } of eigenLosses) {
    request
      .integers(center ? 1 : 0, minimumImages)
      .array(tapes[0].words)
      .array(tapes[0].constants)
  }
  request.integers(state.step)
  for (const array of arraysOf(state)) request.array(array)
  request.array(order === undefined ? new Uint8Array(0) : images).array(order ?? new Uint32Array(0))
  request.array(clean ?? new Float32Array(0)).array(noisy ?? new Float32Array(0))
  const steps = values.length / (1 + eigenLosses.length)
  return request.array(values.subarray(0, steps)).array(values.subarray(steps))
}

function arraysOf(state) {
  const { parameters, firstMoments, secondMoments, runningStatistics } = state
  const { averagedParameters, averagedStatistics } = state
  return [parameters, firstMoments, secondMoments, runningStatistics, averagedParameters, averagedStatistics]
}

/** Reads a model's state after `step` steps, and its losses [steps of the launch][1 + eigen losses]. */
export function readModel(reader, step) {
  const [parameters, firstMoments, secondMoments, runningStatistics, averagedParameters, averagedStatistics] =
    Array.from({ length: 6 }, () => reader.floats())
  const moments = { firstMoments, secondMoments }
  const averages = { averagedParameters, averagedStatistics }
  return { state: { step, parameters, ...moments, runningStatistics, ...averages }, losses: reader.doubles() }
}

/**
 * Answers a request by all programs, in the threads' ascending and descending order in turn, and returns their common
 * response.
 */
export function run(programs, request) {
  const folder = mkdtempSync(join(tmpdir(), 'eigenae-emulated-'))
  try {
    const input = join(folder, 'request')
    const output = join(folder, 'response')
    writeFileSync(input, request.bytes())
    const responses = programs.map((program, i) => {
      execFileSync(program, [input, output, ...(i % 2 === 0 ? [] : ['--descending'])], { stdio: 'pipe' })
      return readFileSync(output)
    })
    requireSame(responses)
    return responses[0]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @throws Error unless all responses are the same */
export function requireSame(responses) {
  const [first] = responses
  for (const [i, response] of responses.entries()) {
    if (response.equals(first)) continue
    const at = response.findIndex((byte, k) => byte !== first[k])
    throw new Error(`response ${i} differs from response 0 from byte ${at} on`)
  }
}

import { type Spectrum, spectrumFrom } from '../spectrum/spectrum.js'
import { type CoreMeasures, loadNativeBinding, type RunningMeasure } from './native/binding.js'
import { type NumberArray, type WasmCall, WasmCore } from './wasm/core.js'
import { compiledModule } from './wasm/engine.js'

/** Returns a measure of the core. @throws the signal's reason once it is aborted, which ends the computation. */
export async function measure<T>(
  start: (core: CoreMeasures) => RunningMeasure<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted()
  const { result, stop } = start(await coreMeasures())
  signal?.addEventListener('abort', stop)
  try {
    const value = await result
    signal?.throwIfAborted()
    return value
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** Computes the spectrum of an embedding [count][latent]. @throws the signal's reason once it is aborted. */
export async function spectrumOf(
  embedding: ArrayLike<number>,
  latent: number,
  center: boolean,
  signal?: AbortSignal,
): Promise<Spectrum> {
  return spectrumFrom(await singularValues(embedding, latent, center, signal))
}

/**
 * Returns the singular values of a matrix [rows][columns], the largest first: always `columns` values.
 * @throws the signal's reason once it is aborted.
 */
export function singularValues(
  values: ArrayLike<number>,
  columns: number,
  center: boolean,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const matrix = { values: new Float64Array(values), columns, center }
  return measure((core) => core.singularValues(matrix), signal)
}

/**
 * Returns the core's measures, which have the same bits on every machine: those of the addon, or of WebAssembly if it cannot
 * be loaded or EIGENAE_ISA names an instruction set that this processor lacks.
 */
async function coreMeasures(): Promise<CoreMeasures> {
  try {
    const { binding } = loadNativeBinding()
    if (binding.instructionSets.includes(process.env.EIGENAE_ISA || binding.instructionSets[0]!))
      return binding
  } catch {}
  wasmMeasures ??= openWasmMeasures()
  return wasmMeasures
}

let wasmMeasures: Promise<CoreMeasures> | undefined

/** Opens measures on one thread of WebAssembly, in a memory that all calls of this process use in turn. */
export async function openWasmMeasures(): Promise<CoreMeasures> {
  const { module } = await compiledModule()
  const core = new WasmCore(module)
  core.start(1)
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(call: () => Promise<T>): Promise<T> => {
    const result = last.then(call)
    last = result.catch(() => undefined)
    return result
  }
  /** Calls `name` with the numbers that `args` returns, from the address of the result and those of copies of the arrays. */
  const start = <T>(
    name: WasmCall,
    arrays: readonly NumberArray[],
    resultBytes: number,
    args: (result: number, ...addresses: readonly number[]) => readonly number[],
    read: (result: number, returned: number) => T,
  ): RunningMeasure<T> => {
    let [running, stopped] = [false, false]
    const result = inTurn(() =>
      core.with(
        [core.allocate(resultBytes), ...arrays.map((array) => core.put(array))],
        async (resultAt, ...addresses) => {
          running = true
          const returned = stopped ? 0 : await core.call(name, ...args(resultAt!, ...addresses))
          running = false
          return read(resultAt!, returned)
        },
      ),
    )
    const stop = () => {
      stopped = true
      if (running) core.exports.stopCall()
    }
    return { result, stop }
  }
  return {
    findNeighbours: ({ points, queries, dimensions, neighbours, leaveOut }) => {
      const [pointCount, queryCount] = [points.length / dimensions, queries.length / dimensions]
      const length = queryCount * neighbours
      return start(
        'findNeighbours',
        [points, queries],
        4 * length,
        (indices, pointsAt, queriesAt) => [
          ...[pointsAt!, pointCount, queriesAt!, queryCount],
          ...[dimensions, neighbours, Number(leaveOut), indices],
        ],
        (indices) => core.get(Int32Array, indices, length),
      )
    },
    countProbeHits: ({ train, scored, latent, leaveOut }) =>
      start(
        'countProbeHits',
        [train.embedding, train.labels, scored.embedding, scored.labels],
        0,
        (_, trainAt, trainLabelsAt, scoredAt, scoredLabelsAt) => [
          ...[trainAt!, trainLabelsAt!, train.labels.length],
          ...[scoredAt!, scoredLabelsAt!, scored.labels.length, latent, Number(leaveOut)],
        ],
        (_, hits) => hits,
      ),
    singularValues: ({ values, columns, center }) =>
      start(
        'singularValues',
        [values],
        8 * columns,
        (found, valuesAt) => [valuesAt!, values.length / columns, columns, Number(center), found],
        (found) => core.get(Float64Array, found, columns),
      ),
    measureLayer: ({ outputs, width, center, ranked, norm }) => {
      const constants = norm === null ? [] : [Float64Array.of(...norm.scale, ...norm.shift)]
      const length = 2 + (ranked ? width : 0)
      return start(
        'measureLayer',
        [outputs, ...constants],
        8 * length,
        (results, outputsAt, normAt = 0) => [
          ...[outputsAt!, outputs.length / width, width, Number(center), Number(ranked), normAt, results],
        ],
        (results) => {
          const [silentUnits, meanVariance, ...eigenvalues] = core.get(Float64Array, results, length)
          return {
            silentUnits: silentUnits!,
            meanVariance: meanVariance!,
            eigenvalues: Float64Array.from(eigenvalues),
          }
        },
      )
    },
  }
}

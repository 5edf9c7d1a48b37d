import type { Value } from './graph.js'
import type { Ops } from './ops.js'
import { type Spectrum, spectrumOf } from './spectrum.js'

/**
 * A layer's matrix Z [replicas][batch][width] in double, and the functions of it that eigen losses share. Each is added to
 * the graph once, when it is first asked for.
 */
export class LayerMatrix {
  readonly width: number
  /** Whether all values of Z are finite, [replicas][1]. */
  readonly finite: Value
  /** Images in the batch, a scalar. */
  readonly count: Value
  readonly #ops: Ops
  /** Z; zeros if a value is not finite, which some of the ops would refuse. */
  readonly #values: Value
  readonly #largestBatch: number
  readonly #known = new Map<string, unknown>()

  /** @param values floats */
  constructor(ops: Ops, values: Value, width: number, count: Value, largestBatch: number) {
    const exact = ops.cast(values, 'double')
    const finite = ops.all(ops.isFinite(exact), [1, 2])
    this.width = width
    this.finite = ops.reshape(finite, [-1, 1])
    this.#ops = ops
    this.#values = ops.select(finite, exact, ops.double(0))
    this.count = count
    this.#largestBatch = largestBatch
  }

  /** m [replicas][1][width]. */
  get mean(): Value {
    return this.#once('mean', () => this.#ops.mean(this.#values, [1]))
  }

  /** Z − m. */
  get centred(): Value {
    return this.#once('centred', () => this.#ops.subtract(this.#values, this.mean))
  }

  /** Biased, [replicas][1][width]. */
  get variances(): Value {
    return this.#once('variances', () => this.#ops.mean(this.#ops.square(this.centred), [1]))
  }

  /** Biased, [replicas][width][width]. */
  get covariance(): Value {
    const products = () => this.#ops.matMul(this.centred, this.centred, { transposeA: true })
    return this.#once('covariance', () => this.#ops.divide(products(), this.count))
  }

  spectrum(center: boolean): Spectrum {
    const matrix = () => (center ? this.centred : this.#values)
    return this.#once(`spectrum ${center}`, () =>
      spectrumOf(this.#ops, matrix(), this.width, this.#largestBatch),
    )
  }

  #once<T>(name: string, add: () => T): T {
    if (!this.#known.has(name)) this.#known.set(name, add())
    return this.#known.get(name) as T
  }
}

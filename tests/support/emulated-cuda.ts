import { spawnSync } from 'node:child_process'
import { buildEmulation, compiler } from '../../native/cuda/tests/build.mjs'
import {
  addModel,
  type Batches,
  Message,
  Reader,
  readModel,
  requireSame,
  run,
  trainRequest,
} from '../../native/cuda/tests/requests.mjs'
import {
  type CoreSpec,
  type CoreTrainer,
  coreBackedTrainer,
  coreSpec,
  decodeState,
  encodeState,
} from '../../src/engines/core.js'
import type { Engine, Images, NoiseField, TrainerSpec } from '../../src/engines/engine.js'
import { purpose } from '../../src/model/random.js'
import type { TrainerState } from '../../src/model/state.js'
import { describeUnless } from './requirements.js'

/** A way to divide a model among thread blocks: native/cuda/kernel/shape.h. */
export interface Division {
  readonly blocks: number
  readonly tiles: number
}

const activations = ['relu', 'leaky-relu', 'silu']
const modes = { embeddings: 0, linearOutputs: 1, reconstructions: 2, squaredErrors: 3 } as const
const tileImages = 16

/** Describes tests that compile the kernels. Without a compiler they are skipped with the reason, and fail in CI. */
export function describeWithCompiler(name: string, tests: () => void): void {
  const found = spawnSync(compiler, ['--version']).status === 0
  describeUnless(found ? null : `there is no C++ compiler ${compiler}`, name, tests)
}

/** Whether the kernel trains a spec. */
export function fitsCuda({ widths, eigenLosses }: TrainerSpec): boolean {
  const latentLayer = widths.length - 2
  return (
    widths.length > 2 && eigenLosses.every(({ layers }) => layers.length === 1 && layers[0] === latentLayer)
  )
}

/**
 * The CUDA kernels on the processor, compiled for each spec. Every call runs with all divisions of the spec, in both
 * orders of the threads in turn, and fails unless all give the same bytes.
 */
export function emulatedCuda(divisionsOf: (spec: TrainerSpec) => readonly Division[]): Engine {
  return {
    name: 'cuda-core (emulated)',
    device: 'cuda',
    variant: 'emulated',
    origin: 'built here',
    refusals: [],
    createTrainer: async (spec, images) => {
      const core = coreSpec(spec)
      const programs: string[] = []
      for (const division of divisionsOf(spec)) programs.push(await buildEmulation(shapeOf(core, division)))
      return coreBackedTrainer(new EmulatedCore(spec, core, images, programs), spec, images)
    },
  }
}

export function shapeOf({ widths, batchSize, batchNorm, activation }: CoreSpec, division: Division) {
  return {
    widths,
    batch: batchSize,
    ...division,
    batchNorm: batchNorm.reduce((mask, has, layer) => mask | (has ? 1 << layer : 0), 0),
    activation: activations.indexOf(activation),
  }
}

class EmulatedCore implements CoreTrainer {
  #state: TrainerState | undefined

  constructor(
    private readonly whole: TrainerSpec,
    private readonly spec: CoreSpec,
    private readonly images: Uint8Array,
    private readonly programs: readonly string[],
  ) {}

  setState(step: number, numbers: Float32Array): void {
    this.#state = decodeState(this.whole, step, numbers)
  }

  getState(into: Float32Array): void {
    into.set(encodeState(this.whole, this.#state!))
  }

  step(): number {
    return this.#state!.step
  }

  async trainEpoch(order: Uint32Array, epoch: number, values: Float64Array): Promise<Float64Array> {
    return this.#train({ order, epoch, count: order.length, values })
  }

  async trainBatch(clean: Float32Array, noisy: Float32Array, values: Float64Array): Promise<Float64Array> {
    return this.#train({ clean, noisy, epoch: 0, count: clean.length / this.spec.widths[0]!, values })
  }

  async encode(images: Images): Promise<Float32Array> {
    return this.#infer('embeddings', images, this.spec.widths.at(-1)!, null).outputs
  }

  async inspect(images: Images, rows: number, withError: boolean, into: Float32Array): Promise<number> {
    const embedding = await this.encode(images)
    into.set(embedding)
    into.set(this.#linearOutputs(images.subarray(0, rows * this.spec.widths[0]!)), embedding.length)
    return withError ? this.meanSquaredError(images, null) : Number.NaN
  }

  #linearOutputs(images: Images): Float32Array {
    const encoder = this.spec.widths.slice(1, -1)
    const hidden = [...encoder, ...encoder.toReversed()]
    const total = hidden.reduce((sum, width) => sum + width, 0)
    const { outputs } = this.#infer('linearOutputs', images, total, null)
    let end = 0
    const layers = hidden.map((width) => {
      end += width
      return outputs.filter((_, i) => i % total >= end - width && i % total < end)
    })
    return Float32Array.from(layers.flatMap((layer) => [...layer]))
  }

  async reconstruct(images: Images): Promise<Float32Array> {
    return this.#infer('reconstructions', images, this.spec.widths[0]!, null).outputs
  }

  async meanSquaredError(images: Images, noise: NoiseField | null): Promise<number> {
    const { sums } = this.#infer('squaredErrors', images, 0, noise)
    return sums.reduce((total, sum) => total + sum, 0) / images.length
  }

  progress() {
    return { images: 0, loss: 0 }
  }

  stop(): void {}

  dispose(): void {}

  #train(batches: Batches): Float64Array {
    const { spec } = this
    const request = addModel(trainRequest(1), spec, this.#state!, batches, this.images)
    const steps = stepsOf(spec, batches)
    const { state, losses } = readModel(new Reader(run(this.programs, request)), this.step() + steps)
    this.#state = state
    return sumLosses(losses, spec, batches)
  }

  #infer(mode: keyof typeof modes, images: Images, outputsOfImage: number, noise: NoiseField | null) {
    const { widths, slope } = this.spec
    const state = this.#state!
    const averaged = state.averagedParameters.length > 0
    const count = images.length / widths[0]!
    const bytes = images instanceof Uint8Array ? images : new Uint8Array(0)
    const floats = images instanceof Float32Array ? images : new Float32Array(0)
    const answers = [1, 3].map((blocks) => {
      const request = new Message()
        .integers(1, modes[mode], count, blocks, count * outputsOfImage)
        .reals(slope, noise?.deviation ?? 0)
        .integers(noise?.seed ?? 0, purpose.evaluationNoise, 0)
        .array(averaged ? state.averagedParameters : state.parameters)
        .array(averaged ? state.averagedStatistics : state.runningStatistics)
        .array(bytes)
        .array(floats)
      return run(this.programs.slice(0, 1), request)
    })
    requireSame(answers)
    const [response] = answers as [Buffer]
    const reader = new Reader(response)
    return { outputs: reader.floats(), sums: reader.doubles().slice(0, Math.ceil(count / tileImages)) }
  }
}

function stepsOf({ eigenLosses }: CoreSpec, { values }: Batches): number {
  return values.length / (1 + eigenLosses.length)
}

/** Returns the sums that `meanLosses` takes. */
function sumLosses(losses: Float64Array, spec: CoreSpec, batches: Batches): Float64Array {
  const { count, first = 0, values } = batches
  const steps = stepsOf(spec, batches)
  const terms = spec.eigenLosses.map(() => ({ value: 0, weighted: 0, images: 0 }))
  let squaredError = 0
  let images = 0
  for (let step = 0; step < steps; step++) {
    const some = Math.min(spec.batchSize, count - first - step * spec.batchSize)
    const row = losses.subarray(step * (1 + terms.length), (step + 1) * (1 + terms.length))
    squaredError += row[0]! * some
    images += some
    for (const [i, term] of terms.entries()) {
      const weight = values[steps + step * terms.length + i]!
      if (weight === 0 || some < spec.eigenLosses[i]!.minimumImages) continue
      term.value += row[1 + i]! * some
      term.weighted += weight * row[1 + i]! * some
      term.images += some
    }
  }
  const loss = terms.reduce((sum, { weighted }) => sum + weighted, squaredError)
  const ofTerms = terms.flatMap(({ value, weighted, images }) => [value, weighted, images])
  return Float64Array.of(loss, squaredError, images, ...ofTerms)
}

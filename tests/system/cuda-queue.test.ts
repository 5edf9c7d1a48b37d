import { beforeAll, expect, it } from 'vitest'
import { coreBackedTrainer, encodeSpec } from '../../src/engines/core.js'
import type { CudaKernel } from '../../src/engines/cuda/binding.js'
import {
  checkedKernel,
  cudaTrainer,
  type OpenCard,
  openCard,
  planFor,
} from '../../src/engines/cuda/engine.js'
import { LaunchQueue } from '../../src/engines/cuda/queue.js'
import type { Trainer, TrainerSpec } from '../../src/engines/engine.js'
import { describeWithCuda } from '../support/cuda-engine.js'
import { adam, averaged, images, never, smallSpec } from '../support/engines.js'

const quiet = () => {}
const digits = images(200)

/** Networks of one shape, with everything else different. */
const specs: readonly TrainerSpec[] = [
  smallSpec,
  { ...smallSpec, seed: 8, optimizer: { ...adam, learningRate: 0.01 }, noise: 0.1 },
  { ...smallSpec, eigenLosses: [], optimizer: averaged(0.9) },
  {
    ...smallSpec,
    seed: 9,
    optimizer: { kind: 'sgd', learningRate: 0.1, warmup: 3, momentum: 0.9, nesterov: true, averaging: null },
  },
  {
    ...smallSpec,
    eigenLosses: smallSpec.eigenLosses.map((each) => ({ ...each, weight: 0.25, center: true })),
  },
]

describeWithCuda('models on a card', ({ environment }) => {
  let open: OpenCard

  beforeAll(async () => {
    Object.assign(process.env, environment)
    open = await openCard()
  })

  async function kernelOf(spec: TrainerSpec): Promise<CudaKernel> {
    const plan = planFor(open, spec)
    if (plan.refusal !== null) throw new Error(plan.refusal)
    return (await checkedKernel(open, plan, spec)).kernel
  }

  async function trainerOf(spec: TrainerSpec, queue: LaunchQueue, launcher?: CudaKernel): Promise<Trainer> {
    const kernel = await kernelOf(spec)
    const model = await kernel.createModel(encodeSpec(spec))
    const kept = await open.images.keep(digits)
    const core = cudaTrainer({ ...open, queue }, launcher ?? kernel, model, kept)
    return coreBackedTrainer(core, spec, digits)
  }

  async function trainAlone(spec: TrainerSpec, queue = new LaunchQueue()) {
    return trained(await trainerOf(spec, queue), 2)
  }

  async function trained(trainer: Trainer, epochs: number) {
    const losses = []
    for (let epoch = 1; epoch <= epochs; epoch++) losses.push(await trainer.trainEpoch(epoch, quiet, never))
    const state = await trainer.exportState()
    await trainer.dispose()
    return { losses, state }
  }

  it('train to the same bytes in chunks of any length', async () => {
    const whole = await trainAlone(smallSpec, new LaunchQueue(60, 1000))
    expect(await trainAlone(smallSpec, new LaunchQueue(0, 1))).toEqual(whole)
    expect(await trainAlone(smallSpec, new LaunchQueue(60, 3))).toEqual(whole)
  })

  it.each([
    ['all at once', 5],
    ['in turns of two', 2],
  ])('train side by side to the same bytes as alone, %s', async (_, atOnce) => {
    const alone = []
    for (const spec of specs) alone.push(await trainAlone(spec))
    const kernel = await kernelOf(smallSpec)
    const launched: number[] = []
    const launcher: CudaKernel = {
      modelsPerLaunch: atOnce,
      createModel: (spec) => kernel.createModel(spec),
      train: (models, steps) => {
        launched.push(models.length)
        return kernel.train(models, steps)
      },
    }
    const queue = new LaunchQueue(0.01, 2)
    const trainers = await Promise.all(specs.map((spec) => trainerOf(spec, queue, launcher)))
    expect(await Promise.all(trainers.map((trainer) => trained(trainer, 2)))).toEqual(alone)
    expect(Math.max(...launched)).toBe(atOnce)
  })

  it('join and leave while others train, and are evaluated meanwhile', async () => {
    const queue = new LaunchQueue(0, 1)
    const [first, second] = [await trainAlone(specs[0]!), await trainAlone(specs[1]!)]
    const long = await trainerOf(specs[0]!, queue)
    const leaving = await trainerOf(specs[2]!, queue)
    const controller = new AbortController()
    const stopped = leaving.trainEpoch(1, quiet, controller.signal).catch((error: unknown) => error)
    const course = trained(long, 2)
    controller.abort('enough')
    expect(await stopped).toBe('enough')
    const joining = await trainerOf(specs[1]!, queue)
    const embedding = await leaving.encode(digits)
    expect(await trained(joining, 2)).toEqual(second)
    expect(await leaving.encode(digits)).toEqual(embedding)
    await leaving.dispose()
    expect(await course).toEqual(first)
  })

  it('are rejected if they are disposed of while they train', async () => {
    const trainer = await trainerOf(specs[0]!, new LaunchQueue(0, 1))
    const epoch = trainer.trainEpoch(1, quiet, never)
    await trainer.dispose()
    await expect(epoch).rejects.toThrow('disposed of')
    await expect(trainer.exportState()).rejects.toThrow('disposed of')
  })
})

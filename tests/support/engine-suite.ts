import { describe, expect, it } from 'vitest'
import type { Engine, EpochProgress, Trainer, TrainerSpec } from '../../src/engines/engine.js'
import { nativeEngine } from '../../src/engines/native/engine.js'
import { layersOf } from '../../src/model/architecture.js'
import { layoutOf } from '../../src/model/layout.js'
import { philox4x32, purpose } from '../../src/model/random.js'
import { initialState } from '../../src/model/state.js'
import { images, never, smallSpec, withTrainer } from './engines.js'
import { describeTraining, expectNear } from './training-suite.js'

const inputs = 784
const quiet = () => {}

const hundred = images(100)

/** An epoch of minutes on the fastest core. A test only sees its beginning. */
const endlessSpec: TrainerSpec = {
  ...smallSpec,
  widths: [784, 512, 512, 5],
  batchNorm: 'none',
  eigenLosses: [],
  batchSize: 1,
}
/** The same for an engine of narrower networks. */
const narrowEndlessSpec: TrainerSpec = { ...endlessSpec, widths: smallSpec.widths }
const endlessCount = 60_000
const endlessImages = () => new Uint8Array(endlessCount * inputs)

async function trainTwoEpochs(trainer: Trainer) {
  const losses = [await trainer.trainEpoch(1, quiet, never), await trainer.trainEpoch(2, quiet, never)]
  return { losses, state: await trainer.exportState() }
}

/** The suite that every engine passes. `fits` selects the networks that it trains. */
export function describeEngine(engine: Engine, fits: (spec: TrainerSpec) => boolean = () => true): void {
  describeTraining(engine, fits)
  describe(`engine ${engine.name}`, () => {
    const endless = fits(endlessSpec) ? endlessSpec : narrowEndlessSpec
    const withSmall = <T>(use: (trainer: Trainer) => Promise<T>, changes = {}) =>
      withTrainer(engine, { ...smallSpec, ...changes }, hundred, use)

    it("starts from the seed's initial parameters", async () => {
      const state = await withSmall((trainer) => trainer.exportState())
      expect(state).toEqual(initialState(smallSpec, smallSpec.seed))
    })

    it('learns: the loss falls', async () => {
      const { losses } = await withSmall(trainTwoEpochs)
      expect(losses[1]!.mse).toBeLessThan(losses[0]!.mse)
    })

    it('is deterministic to the bit, at any number of threads', async () => {
      const one = await withSmall(trainTwoEpochs)
      for (const threads of [1, 2, 3, 5]) expect(await withSmall(trainTwoEpochs, { threads })).toEqual(one)
    })

    it.each(['none', 'encoder', 'all'] as const)(
      'continues from an exported state bit for bit, batch norm %s',
      async (batchNorm) => {
        const changes = { batchNorm }
        const whole = await withSmall(trainTwoEpochs, changes)
        const middle = await withSmall(async (trainer) => {
          await trainer.trainEpoch(1, quiet, never)
          return trainer.exportState()
        }, changes)
        const resumed = await withSmall(async (trainer) => {
          await trainer.importState(middle)
          await trainer.trainEpoch(2, quiet, never)
          return trainer.exportState()
        }, changes)
        expect(resumed).toEqual(whole.state)
      },
    )

    it('weights a short last batch by its images, and trains it without the eigen loss if it is too small', async () => {
      const short = hundred.subarray(0, 36 * inputs)
      const losses = await withTrainer(engine, smallSpec, short, (trainer) =>
        trainer.trainEpoch(1, quiet, never),
      )
      expect(losses.terms[0]!.value).toBeGreaterThan(2 / 5)
      expect(losses.terms[0]!.value).toBeLessThanOrEqual(1)
      expect(losses.loss).toBeCloseTo(losses.mse + losses.terms[0]!.value * (32 / 36), 5)
    })

    it.each([
      ['every batch has the eigen loss', 64],
      ['the last batch has no eigen loss', 36],
    ])('reports at the end of an epoch the loss that it returns, if %s', async (_, count) => {
      const reports: EpochProgress[] = []
      const losses = await withTrainer(engine, smallSpec, hundred.subarray(0, count * inputs), (trainer) =>
        trainer.trainEpoch(1, (progress) => reports.push(progress), never),
      )
      expect(reports.at(-1)!.imagesDone).toBe(count)
      expect(Math.abs(reports.at(-1)!.loss / losses.loss - 1)).toBeLessThan(1e-6)
    })

    it('trains on images of 12 × 20 as the C++ core does', async () => {
      const tall: TrainerSpec = { ...smallSpec, widths: [240, 24, 7, 5], noise: 0 }
      const [own, core] = await Promise.all(
        [engine, nativeEngine()].map((each) =>
          withTrainer(each, tall, hundred.subarray(0, 100 * 240), trainTwoEpochs),
        ),
      )
      expectNear(own!.state.parameters, core!.state.parameters, 1e-3)
      expectNear(
        own!.losses.map(({ loss }) => loss),
        core!.losses.map(({ loss }) => loss),
        1e-4,
      )
    })

    it('reports progress, and stops with the reason of an abort', async () => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const seen: number[] = []
      await withTrainer(engine, endless, endlessImages(), async (trainer) => {
        const abortAtOnce = ({ imagesDone }: EpochProgress) => {
          seen.push(imagesDone)
          controller.abort(reason)
        }
        await expect(trainer.trainEpoch(1, abortAtOnce, controller.signal)).rejects.toBe(reason)
      })
      expect(seen[0]).toBeLessThan(endlessCount)
    })

    it('stops if it was aborted before it started', async () => {
      const reason = new Error('enough')
      await withTrainer(engine, endless, endlessImages(), async (trainer) => {
        const epoch = trainer.trainEpoch(1, quiet, AbortSignal.abort(reason))
        await expect(epoch).rejects.toBe(reason)
        expect((await trainer.exportState()).step).toBeLessThan(endlessCount)
      })
    })

    it('encodes bytes like floats of the bytes divided by 255', async () => {
      const floats = Float32Array.from(hundred, (byte) => byte / 255)
      const [fromBytes, fromFloats] = await withSmall(async (trainer) => [
        await trainer.encode(hundred),
        await trainer.encode(floats),
      ])
      expect(fromBytes!.length).toBe(100 * 5)
      for (const [i, value] of fromFloats!.entries())
        expect(Math.abs(fromBytes![i]! - value)).toBeLessThan(1e-5)
    })

    it('uses images in shared memory like those in other memory', async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(hundred.length))
      shared.set(hundred)
      const use = async (trainer: Trainer, pixels: Uint8Array) => ({
        trained: await trainTwoEpochs(trainer),
        embedding: await trainer.encode(pixels),
        error: await trainer.meanSquaredError(pixels, { seed: 9, deviation: 0.2 }),
      })
      const fromShared = await withTrainer(engine, smallSpec, shared, (trainer) => use(trainer, shared))
      expect(fromShared).toEqual(await withSmall((trainer) => use(trainer, hundred)))
    })

    it('encodes the same large set of images the same way again, and parts of it independently', async () => {
      const many = images(3000)
      const parts = [0, 1500, 750].map((first) => many.subarray(first * inputs, (first + 1500) * inputs))
      await withSmall(async (trainer) => {
        const ask = async () => {
          const answers: Float32Array[] = []
          for (const part of parts) answers.push(await trainer.encode(part))
          return answers
        }
        const [first, ...again] = [await ask(), await ask(), await ask(), await ask()]
        for (const answers of again) expect(answers).toEqual(first)
        const half = 750 * 5
        expect(first![0]!.slice(half)).toEqual(first![2]!.slice(0, half))
        expect(first![0]!.slice(0, half)).not.toEqual(first![1]!.slice(0, half))
      })
    })

    it('returns the outputs of the hidden layers before batch norm and activation, with the embedding and the error', async () => {
      const changes = { batchNorm: ['encoder.1'] }
      await withSmall(async (trainer) => {
        await trainer.trainEpoch(1, quiet, never)
        const { parameters } = await trainer.exportState()
        const { linearOutputs: hidden, embedding, mse } = await trainer.inspect(hundred, 100, true)
        expect(embedding).toEqual(await trainer.encode(hundred))
        expect(mse).toBe(await trainer.meanSquaredError(hundred, null))
        const some = await trainer.inspect(hundred, 75, true)
        expect(some.linearOutputs).toEqual(hidden.map((values) => values.subarray(0, 0.75 * values.length)))
        expect(some).toMatchObject({ embedding, mse })
        expect(hidden.map(({ length }) => length / 100)).toEqual([24, 7, 7, 24])
        const pixels = Float32Array.from(hundred, (byte) => byte / 255)
        const [first, second] = [0, 1].map((layer) =>
          linearOf({ ...smallSpec, ...changes }, parameters, layer),
        )
        expectNear(hidden[0]!, first!(pixels), 1e-4)
        expectNear(hidden[1]!, second!(hidden[0]!.map((value) => Math.max(0, value))), 1e-4)
      }, changes)
    })

    it('returns the same values and states in the memory of earlier ones', async () => {
      await withSmall(async (trainer) => {
        const expected = await trainer.inspect(hundred, 100, true)
        await trainer.trainEpoch(1, quiet, never)
        const trained = await trainer.inspect(hundred, 100, true)
        expect(trained).not.toEqual(expected)
        const others = await trainer.inspect(hundred.subarray(0, 10 * inputs), 10, false)
        expect(others.mse).toBeNaN()
        const reused = await trainer.inspect(hundred, 100, true, never, others)
        expect(reused).toEqual(trained)
        expect(await trainer.inspect(hundred, 100, true, never, reused)).toEqual(trained)
        const [first, second] = [await trainer.exportState(), await trainer.exportState()]
        await trainer.trainEpoch(2, quiet, never)
        const later = await trainer.exportState(first)
        expect(later).toEqual(await trainer.exportState())
        expect(later).not.toEqual(second)
      })
    })

    it('measures the error of its own reconstruction', async () => {
      await withSmall(async (trainer) => {
        const output = await trainer.reconstruct(hundred)
        const error =
          output.reduce((sum, value, i) => sum + (value - hundred[i]! / 255) ** 2, 0) / output.length
        expect(await trainer.meanSquaredError(hundred, null)).toBeCloseTo(error, 6)
      })
    })

    it('adds the noise named by seed, image and pixel', async () => {
      await withSmall(async (trainer) => {
        const noisy = Float32Array.from(
          hundred,
          (byte, i) => byte / 255 + 0.2 * normal(9, Math.floor(i / inputs), i % inputs),
        )
        const output = await trainer.reconstruct(noisy)
        const error =
          output.reduce((sum, value, i) => sum + (value - hundred[i]! / 255) ** 2, 0) / output.length
        const measured = await trainer.meanSquaredError(hundred, { seed: 9, deviation: 0.2 })
        expect(Math.abs(measured / error - 1)).toBeLessThan(1e-5)
      })
    })
  })
}

/** Returns the linear map of a layer: from [count][inputs] to [count][outputs]. */
function linearOf(spec: TrainerSpec, parameters: Float32Array, position: number) {
  const { inputs: width, outputs } = layersOf(spec)[position]!
  const tensors = layoutOf(spec).parameters.filter(({ name }) => name.startsWith(`encoder.${position}.`))
  const [weight, bias] = tensors.map(({ offset, size }) => parameters.subarray(offset, offset + size))
  return (x: Float32Array) =>
    Float32Array.from({ length: (x.length / width) * outputs }, (_, i) => {
      const [image, unit] = [Math.floor(i / outputs), i % outputs]
      const row = weight!.subarray(unit * width, (unit + 1) * width)
      return row.reduce((sum, value, k) => sum + value * x[image * width + k]!, bias![unit]!)
    })
}

/** The definition in native/core/random.h, in double. */
function normal(seed: number, image: number, pixel: number): number {
  const block = philox4x32([Math.floor(pixel / 4), image, 0, 0], [seed, purpose.evaluationNoise])
  const pair = 2 * Math.floor((pixel % 4) / 2)
  const radius = Math.sqrt(-2 * Math.log(((block[pair]! >>> 9) + 0.5) / 2 ** 23))
  const angle = (2 * Math.PI * (block[pair + 1]! | 0)) / 2 ** 32
  return radius * (pixel % 2 === 0 ? Math.cos(angle) : Math.sin(angle))
}

import { expect } from 'vitest'
import type { AdamSpec, Engine, Trainer, TrainerSpec } from '../../src/engines/engine.js'
import { nativeEngine } from '../../src/engines/native/engine.js'
import { wasmEngine } from '../../src/engines/wasm/engine.js'
import { philox4x32 } from '../../src/model/random.js'
import { formulaOfKind } from './formulas.js'

// Compares arrays by their bytes. Number by number, vitest takes up to a second for the states of two trainers.
expect.addEqualityTesters([
  (one: unknown, other: unknown) =>
    one instanceof Float32Array && other instanceof Float32Array
      ? Buffer.from(one.buffer, one.byteOffset, one.byteLength).equals(
          Buffer.from(other.buffer, other.byteOffset, other.byteLength),
        )
      : undefined,
])

/** The engines that run on every machine. Each passes the same suite. */
export const engines: readonly Engine[] = [nativeEngine(), await wasmEngine()]

export const adam: AdamSpec = {
  kind: 'adam',
  learningRate: 0.005,
  warmup: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  averaging: null,
}

/** Adam with averages of the parameters and running statistics. */
export function averaged(decay: number): AdamSpec {
  return { ...adam, averaging: { kind: 'ema', decay } }
}

export const smallSpec: TrainerSpec = {
  widths: [784, 24, 7, 5],
  batchNorm: 'none',
  activation: 'relu',
  init: 'he-uniform',
  eigenLosses: [{ formula: formulaOfKind('top-k', { k: 2 }), weight: 1, layers: [2], minimumImages: 6 }],
  optimizer: adam,
  batchSize: 32,
  seed: 7,
  noise: 0.2,
  threads: 1,
}

/** Runs `use` on a trainer, then disposes of it. */
export async function withTrainer<T>(
  engine: Engine,
  spec: TrainerSpec,
  images: Uint8Array,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = await engine.createTrainer(spec, images)
  try {
    return await use(trainer)
  } finally {
    await trainer.dispose()
  }
}

export const never = new AbortController().signal

/** Returns bytes that resemble digits: mostly black. */
export function images(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 784 }, (_, i) =>
    philox4x32([i, 0, 0, 0], [1, 0])[0] % 5 === 0 ? i % 256 : 0,
  )
}

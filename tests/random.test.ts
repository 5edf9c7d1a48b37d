import { describe, expect, it } from 'vitest'
import { latentDimension } from '../src/model/architecture.js'
import { layoutOf, tensorValues } from '../src/model/layout.js'
import { epochOrder, philox4x32 } from '../src/model/random.js'
import { initialState } from '../src/model/state.js'

describe('Philox4x32-10', () => {
  // From Random123's kat_vectors, lines "philox4x32 10".
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)('of counter %j and key %j is the published block', (counter, key, block) => {
    expect(philox4x32(counter, key)).toEqual(block)
  })
})

describe("an epoch's order", () => {
  it('holds every image once', () => {
    expect([...epochOrder(3, 2, 1000)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i),
    )
  })

  it('is named by seed and epoch', () => {
    const order = epochOrder(3, 2, 100)
    expect(epochOrder(3, 2, 100)).toEqual(order)
    expect(epochOrder(3, 3, 100)).not.toEqual(order)
    expect(epochOrder(4, 2, 100)).not.toEqual(order)
  })

  it('puts an image at each position about equally often', () => {
    const counts = new Float64Array(6)
    for (let epoch = 0; epoch < 6000; epoch++) counts[epochOrder(0, epoch, 6).indexOf(0)]! += 1
    // The expectation is 1000 per position, the standard deviation 29.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })

  it('is the same as in earlier versions, so that old runs can be resumed', () => {
    expect([...epochOrder(0, 1, 8)]).toMatchInlineSnapshot(`
      [
        5,
        3,
        4,
        2,
        0,
        1,
        6,
        7,
      ]
    `)
  })
})

describe('the initial parameters', () => {
  const architecture = {
    widths: [784, 128, 64, 12, 10],
    batchNorm: 'all',
    activation: 'relu',
    init: 'he-uniform',
    optimizer: { averaging: null },
  } as const
  const layout = layoutOf(architecture)
  const state = initialState(architecture, 1)

  it("are uniform within PyTorch's bounds: weights within sqrt(6 / fan_in), biases within 1 / sqrt(fan_in)", () => {
    for (const tensor of layout.parameters) {
      const values = tensorValues(tensor, state.parameters)
      const { inputs } = tensor.layer
      const bound = { weight: Math.sqrt(6 / inputs), bias: 1 / Math.sqrt(inputs) }[
        tensor.kind as 'weight' | 'bias'
      ]
      if (bound === undefined) continue
      expect(Math.max(...values.map(Math.abs)), tensor.name).toBeLessThanOrEqual(bound)
      if (tensor.kind !== 'weight') continue
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
      expect(variance / ((bound * bound) / 3), tensor.name).toBeGreaterThan(0.7)
      expect(variance / ((bound * bound) / 3), tensor.name).toBeLessThan(1.3)
    }
  })

  it('make batch norm an identity', () => {
    for (const tensor of layout.parameters.filter(({ kind }) => kind === 'gamma' || kind === 'beta')) {
      expect(new Set(tensorValues(tensor, state.parameters))).toEqual(
        new Set([tensor.kind === 'gamma' ? 1 : 0]),
      )
    }
    for (const tensor of layout.runningStatistics) {
      const value = tensor.kind === 'running_var' ? 1 : 0
      expect(new Set(tensorValues(tensor, state.runningStatistics))).toEqual(new Set([value]))
    }
  })

  it('differ between seeds and are the same for one', () => {
    expect(initialState(architecture, 1)).toEqual(state)
    expect(initialState(architecture, 2).parameters).not.toEqual(state.parameters)
  })

  it('have the size that follows from the widths', () => {
    expect(latentDimension(architecture)).toBe(10)
    expect(layoutOf({ ...architecture, batchNorm: 'none', activation: 'relu' }).parameterCount).toBe(220_066)
  })
})

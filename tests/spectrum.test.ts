import { describe, expect, it } from 'vitest'
import { openWasmMeasures, singularValues, spectrumOf } from '../src/engines/measures.js'
import { loadNativeBinding } from '../src/engines/native/binding.js'
import { philox4x32 } from '../src/model/random.js'

/** Uniform numbers in ±½, [rows][columns]. */
function randomMatrix(rows: number, columns: number, seed: number): Float64Array {
  return Float64Array.from(
    { length: rows * columns },
    (_, i) => philox4x32([i, 0, 0, 0], [seed, 0])[0] / 2 ** 32 - 0.5,
  )
}

/** Returns orthonormal columns [rows][columns] by Gram and Schmidt, twice for accuracy. */
function orthonormal(rows: number, columns: number, seed: number): Float64Array {
  const matrix = randomMatrix(rows, columns, seed)
  const at = (i: number, j: number) => matrix[i * columns + j]!
  for (let j = 0; j < columns; j++) {
    for (const k of [...Array(j).keys(), ...Array(j).keys()]) {
      let dot = 0
      for (let i = 0; i < rows; i++) dot += at(i, j) * at(i, k)
      for (let i = 0; i < rows; i++) matrix[i * columns + j]! -= dot * at(i, k)
    }
    let square = 0
    for (let i = 0; i < rows; i++) square += at(i, j) ** 2
    for (let i = 0; i < rows; i++) matrix[i * columns + j]! /= Math.sqrt(square)
  }
  return matrix
}

/** U · diag(values) · Vᵀ: a matrix whose singular values are known. */
function withSingularValues(rows: number, values: readonly number[]): Float64Array {
  const d = values.length
  const [u, v] = [orthonormal(rows, d, 1), orthonormal(d, d, 2)]
  return Float64Array.from({ length: rows * d }, (_, place) => {
    const [i, j] = [Math.floor(place / d), place % d]
    return values.reduce((sum, value, k) => sum + u[i * d + k]! * value * v[j * d + k]!, 0)
  })
}

describe('singular values', () => {
  it.each([
    ['well apart', [9, 4, 2.5, 1]],
    ['two alike', [3, 3, 1]],
    ['over six decades', [1e3, 1, 1e-2, 1e-3]],
    ['one dimension', [2]],
  ])('%s are found to many digits', async (_name, values) => {
    const found = await singularValues(withSingularValues(200, values), values.length, false)
    for (const [i, value] of values.entries()) expect(Math.abs(found[i]! / value - 1)).toBeLessThan(1e-9)
  })

  it('are no longer computed once the signal is aborted, with its reason', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const found = singularValues(randomMatrix(600, 600, 3), 600, false, controller.signal)
    controller.abort(reason)
    await expect(found).rejects.toBe(reason)
  })

  it('are accurate if most of 200 dimensions are dead up to rounding', async () => {
    const [rows, columns, rank] = [400, 200, 12]
    const [left, right] = [randomMatrix(rows, rank, 1), randomMatrix(rank, columns, 2)]
    const embedding = Float32Array.from({ length: rows * columns }, (_, place) => {
      const [i, j] = [Math.floor(place / columns), place % columns]
      return Array.from({ length: rank }, (_, k) => left[i * rank + k]! * right[k * columns + j]!).reduce(
        (sum, term) => sum + term,
      )
    })
    const found = await singularValues(embedding, columns, false)
    expect(found[rank - 1]! / found[0]!).toBeGreaterThan(0.1)
    expect(found[rank]! / found[0]!).toBeLessThan(1e-6)
  })

  it.each([
    [200, 10, false],
    [31, 40, true],
  ])(
    'of %d × %d values have the same bits from the addon and from WebAssembly',
    async (rows, columns, center) => {
      const matrix = { values: randomMatrix(rows, columns, 5), columns, center }
      const found = await loadNativeBinding().binding.singularValues(matrix).result
      expect(await (await openWasmMeasures()).singularValues(matrix).result).toEqual(found)
      expect(found.every((value, i) => value <= (found[i - 1] ?? Number.POSITIVE_INFINITY))).toBe(true)
    },
  )

  it('end in zeros if there are fewer rows than columns', async () => {
    const found = await singularValues([3, 0, 0, 0, 0, 4], 3, false)
    expect([...found]).toEqual([4, 3, 0])
  })

  it('are NaN if the embedding is not finite', async () => {
    expect([...(await singularValues([1, 2, Number.NaN, 3, 4, 5], 2, false))]).toEqual([
      Number.NaN,
      Number.NaN,
    ])
  })

  it('are exactly zero for dead dimensions', async () => {
    const found = await singularValues([1, 0, 2, 0, 3, 0], 2, false)
    expect(found[0]).toBeCloseTo(Math.sqrt(14), 12)
    expect(found[1]).toBe(0)
  })

  it('are those of the deviations from the mean if centred', async () => {
    const found = await singularValues([11, 5, 9, 5, 11, 5, 9, 5], 2, true)
    expect([...found]).toEqual([2, 0])
  })
})

describe('a spectrum', () => {
  it('has effective rank 2 with two equal directions and a dead one', async () => {
    const { singularShares, eigenShares, effectiveRank, deadDimensions } = await spectrumOf(
      [1, 0, 0, 0, 1, 0],
      3,
      false,
    )
    expect(singularShares).toEqual([0.5, 0.5, 0])
    expect(eigenShares).toEqual([0.5, 0.5, 0])
    expect(effectiveRank).toBeCloseTo(2, 12)
    expect(deadDimensions).toBe(1)
  })

  it('counts a dimension as dead below a thousandth of the largest', async () => {
    const { deadDimensions } = await spectrumOf(withSingularValues(50, [1, 1.1e-3, 0.9e-3]), 3, false)
    expect(deadDimensions).toBe(1)
  })

  it('is all zeros if the embedding is, with every dimension dead', async () => {
    const spectrum = await spectrumOf(new Float32Array(20), 4, false)
    expect(spectrum.singularShares).toEqual([0, 0, 0, 0])
    expect([spectrum.effectiveRank, spectrum.deadDimensions]).toEqual([0, 4])
  })
})

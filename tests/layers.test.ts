import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openWasmMeasures, spectrumOf } from '../src/engines/measures.js'
import { loadNativeBinding } from '../src/engines/native/binding.js'
import { philox4x32 } from '../src/model/random.js'
import { effectiveRankOfGram } from '../src/spectrum/spectrum.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'

/** A matrix [rows][columns] of numbers from −1 to 1, the columns with falling scales and the last one zero. */
function matrix(rows: number, columns: number, decay: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const column = i % columns
    const value = philox4x32([i, 0, 0, 0], [3, 0])[0] / 2 ** 31 - 1
    return column === columns - 1 ? 0 : value * decay ** column
  })
}

describe('a wide layer', () => {
  const cases = [
    [200, 1, 1, false],
    [200, 30, 1, false],
    [201, 31, 0.7, true],
    [10, 40, 0.9, false],
  ] as const
  const layerOf = (outputs: Float32Array, width: number, center: boolean) => {
    const scale = Float64Array.from({ length: width }, (_, i) => 1 - i / 7)
    const norm = { scale, shift: scale.map((x) => x / 3 - 1) }
    return { outputs, width, center, ranked: true, norm }
  }

  it.each(cases)(
    'of %d × %d values has the effective rank of its spectrum',
    async (rows, columns, decay, center) => {
      const values = matrix(rows, columns, decay)
      const expected = await spectrumOf(values, columns, center)
      const { eigenvalues } = await loadNativeBinding().binding.measureLayer(layerOf(values, columns, center))
        .result
      expect(effectiveRankOfGram(eigenvalues)).toBeCloseTo(expected.effectiveRank, 5)
    },
  )

  it.each(cases)(
    'of %d × %d values has the same bits by the addon and by WebAssembly',
    async (rows, columns, decay, center) => {
      const values = matrix(rows, columns, decay)
      const layer = layerOf(values, columns, center)
      const measures = await openWasmMeasures()
      for (const each of [layer, { ...layer, norm: null, ranked: false }])
        expect(await measures.measureLayer(each).result).toEqual(
          await loadNativeBinding().binding.measureLayer(each).result,
        )
    },
  )
})

describe('layers.csv', () => {
  const scratch = scratchFolder()
  let rows: readonly (readonly string[])[]
  let metrics: readonly string[]

  beforeAll(async () => {
    const settings = ['data.limit=2000', 'train.epochs=2', 'model.batchNorm=encoder']
    await eigenae(trainArgs('eigen.json', scratch('run'), ...settings))
    const read = async (name: string) =>
      (await readFile(join(scratch('run'), name), 'utf8')).trim().split('\n')
    rows = (await read('layers.csv')).slice(1).map((line) => line.split(','))
    metrics = (await read('metrics.csv')).map((line) => line.split(',')).map((fields) => fields.at(-2)!)
  })

  it('has each hidden layer with its width, from before training on', () => {
    const layers = ['encoder.0', 'encoder.1', 'encoder.2', 'decoder.0', 'decoder.1', 'decoder.2']
    expect(rows.map(([epoch, layer]) => `${epoch} ${layer}`)).toEqual(
      [0, 1, 2].flatMap((epoch) => layers.map((layer) => `${epoch} ${layer}`)),
    )
    expect(rows.slice(0, 6).map(([, , width]) => width)).toEqual(['128', '64', '12', '12', '64', '128'])
    for (const [, , width, dead, rank] of rows) {
      expect(Number(dead)).toBeLessThanOrEqual(Number(width))
      expect(Number(rank)).toBeLessThanOrEqual(Number(width))
    }
  })

  it('has the dead units whose sum is in metrics.csv', () => {
    const dead = (epoch: string) =>
      rows.filter(([of]) => of === epoch).reduce((sum, [, , , count]) => sum + Number(count), 0)
    expect(metrics).toEqual(['dead_units', String(dead('1')), String(dead('2'))])
  })
})

import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { compareRuns } from '../src/comparison/compare.js'
import { evaluationNoise } from '../src/model/random.js'
import { comparisonCharts, comparisonPictures } from '../src/plots/comparison-pictures.js'
import { errorsOf, worstOf } from '../src/plots/model-pictures.js'
import { runPictures } from '../src/plots/run-pictures.js'
import { principalPlane } from '../src/spectrum/principal-directions.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { engines, smallSpec, withTrainer } from './support/engines.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const plot = (...args: readonly string[]) => eigenae(['plot', ...args], { cwd: scratch() })
const fromTables = ['effective-rank', 'evolution', 'loss', 'spectrum', 'training']
const fromModel = ['embedding', 'reconstructions', 'worst-reconstructions']

const small = ['data.limit=300', 'train.epochs=1']

async function expectDark(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    expect(await readFile(scratch(folder, `${name}.svg`), 'utf8'), name).toMatch(
      /<rect width="[^"]*" height="[^"]*" fill="#16181c"/,
    )
}

const pictures = (names: readonly string[]) => names.flatMap((name) => [`${name}.png`, `${name}.svg`]).sort()

describe('eigenae plot', () => {
  beforeAll(async () => {
    const { code } = await eigenae(trainArgs('baseline.json', scratch('trained', 'seed-0'), ...small))
    expect(code).toBe(0)
  })

  it('draws a run with its reconstructions and its embedding into its own folder', async () => {
    const { code, stdout } = await plot('trained/seed-0')
    expect(code).toBe(0)
    const files = await readdir(scratch('trained/seed-0/plots'))
    expect(files.sort()).toEqual(pictures([...runPictures, 'dead-units']))
    expect(stdout.split('\n')).toContain('trained/seed-0/plots/embedding.svg')
    for (const name of [...fromTables, ...fromModel]) {
      const png = await readFile(scratch('trained/seed-0/plots', `${name}.png`))
      expect(png.subarray(1, 4).toString()).toBe('PNG')
      // Width and height, at two pixels per unit.
      expect(Math.min(png.readUInt32BE(16), png.readUInt32BE(20))).toBeGreaterThan(300)
    }
    const embedding = await readFile(scratch('trained/seed-0/plots/embedding.svg'), 'utf8')
    for (const name of fromModel) {
      const svg = await readFile(scratch('trained/seed-0/plots', `${name}.svg`), 'utf8')
      expect(svg).toContain(`font-family="'Source Sans 3', sans-serif"`)
    }
    for (const name of [...fromTables, ...fromModel])
      expect(await readFile(scratch('trained/seed-0/plots', `${name}.svg`), 'utf8')).toContain(
        'trained, seed 0</text>',
      )
    expect(embedding).toMatch(/first principal direction \(\d+ % of the variance\)/)
  })

  it('draws an arm with the model of its first run into the folder of --out, also on a dark background', async () => {
    const { stdout, stderr } = await plot('trained', '--out', 'pictures', '--json', '--scheme', 'dark')
    expect(stderr).toContain('reconstructions and embedding: trained/seed-0')
    expect(JSON.parse(stdout)).toMatchObject({ folder: 'pictures', model: 'trained/seed-0' })
    await expectDark('pictures', [...fromTables, ...fromModel])
    await writeFile(scratch('pictures', 'embedding.png'), 'mine')
    const refused = await plot('trained', '--out', 'pictures')
    expect(refused.stderr).toContain('pictures/embedding.png: exists and was not written by this command')
    expect(refused.code).toBe(2)
  })

  it('comes with the reconstructions of the arms, side by side, in a comparison, also on a dark background', async () => {
    writeRun(scratch('untrained', 'seed-0'), { noise: 0.3 })
    const args = ['compare', 'trained', 'untrained', '--scheme', 'dark']
    const compare = (...more: readonly string[]) => eigenae([...args, ...more], { cwd: scratch() })
    const { code, stderr } = await compare('--out', 'compared')
    expect(code).toBe(0)
    expect(stderr).toContain('untrained/seed-0: no reconstructions because it has no model')
    for (const name of ['reconstructions', 'worst-reconstructions'])
      expect(await readFile(scratch('compared', `${name}.svg`), 'utf8')).toContain('>original</text>')
    await expectDark('compared', [...comparisonPictures, 'reconstructions'])
    const printed = await compare()
    expect([printed.code, printed.stderr]).toEqual([2, expect.stringContaining('--scheme: requires --out')])
  })

  it.each([
    [50, 'After the last epoch'],
    [51, 'After the last epoch, the first 50 runs of each arm'],
  ])(
    'names in the title of the final values the runs that it draws, if not all of %d',
    async (count, title) => {
      for (let seed = 0; seed < count; seed++) writeRun(scratch(`arm-${count}`, `seed-${seed}`), { seed })
      const charts = comparisonCharts(await compareRuns([scratch(`arm-${count}`)], undefined))
      expect(charts.find(({ name }) => name === 'final')?.title).toBe(title)
    },
  )

  it('draws a run without a model from its checkpoint, or from its tables if it has none', async () => {
    await rm(scratch('trained/seed-0/model.safetensors'))
    sealRun(scratch('trained/seed-0'))
    const { stderr: notes } = await plot('trained/seed-0')
    expect(notes).toContain('reconstructions and embedding: trained/seed-0')
    expect(notes).toContain('model.safetensors is missing; using its checkpoint of epoch 1 of 1')
    writeRun(scratch('stopped'))
    const { code, stderr } = await plot('stopped')
    expect(code).toBe(0)
    expect(stderr).toContain('the run has no model yet')
    expect((await readdir(scratch('stopped/plots'))).sort()).toEqual(pictures(fromTables))
  })

  it('removes the pictures of a run that is trained again', async () => {
    await cp(scratch('trained/seed-0'), scratch('anew'), { recursive: true })
    expect(await readdir(scratch('anew/plots'))).toContain('loss.svg')
    await writeFile(scratch('anew/plots/loss.png'), 'mine')
    await mkdir(scratch('anew/plots/more.svg'))
    expect(
      (await eigenae([...trainArgs('baseline.json', scratch('anew'), ...small), '--overwrite'])).code,
    ).toBe(0)
    expect((await readdir(scratch('anew/plots'))).sort()).toEqual(['loss.png', 'more.svg'])
  })

  it('rejects a model with the config of another version', async () => {
    const config = scratch('trained/seed-0/config.json')
    await writeFile(
      config,
      (await readFile(config, 'utf8')).replace('"batchNorm": "none"', '"batchNorm": "layers"'),
    )
    await rm(scratch('trained/seed-0/checkpoint'), { recursive: true })
    sealRun(scratch('trained/seed-0'))
    const { code, stderr } = await plot('trained/seed-0')
    expect(stderr).toContain('config.json: this version cannot run the model of this config')
    expect(code).toBe(1)
  })

  it('rejects several arms and a folder without a run', async () => {
    writeRun(scratch('sweep', 'a', 'seed-0'))
    writeRun(scratch('sweep', 'b', 'seed-0'))
    const several = await plot('sweep')
    expect(several.stderr).toContain('sweep: holds 2 arms; plot draws one')
    expect(several.code).toBe(2)
    await mkdir(scratch('empty'))
    expect((await plot('empty')).stderr).toContain('holds no run')
  })
})

describe('pictures of a model', () => {
  it('search the images with the largest error, averaged over the models', () => {
    const image = (...pixels: readonly number[]) => Float32Array.from(pixels)
    const samples = [1, 2, 3].map((noise) => ({ clean: image(0, 0), noisy: image(noise, noise) }))
    const errors = [
      errorsOf([image(0, 0.5), image(0, 0), image(1, 0)], samples),
      errorsOf([image(1, 1), image(0, 0), image(0, 0)], samples),
    ]
    expect(errors).toEqual([
      [0.125, 0, 0.5],
      [1, 0, 0],
    ])
    expect(worstOf(errors)).toEqual([0, 2, 1])
  })

  it('use the same noise as evaluations', async () => {
    const images = Uint8Array.from({ length: 3 * 784 }, (_, index) => (index * 31) % 256)
    await withTrainer(engines[0]!, smallSpec, images, async (trainer) => {
      const noisy = Float32Array.from(images, (value) => value / 255)
      for (const image of [0, 1, 2]) {
        const noise = evaluationNoise(image, 784, 0.2)
        for (let i = 0; i < 784; i++) noisy[image * 784 + i]! += noise[i]!
      }
      const output = await trainer.reconstruct(noisy)
      const squares = output.reduce((sum, value, index) => sum + (value - images[index]! / 255) ** 2, 0)
      const expected = await trainer.meanSquaredError(images, { seed: 0, deviation: 0.2 })
      expect(squares / images.length / expected).toBeCloseTo(1, 5)
    })
  })

  it('use the principal directions', () => {
    // A cloud with variances 9, 4 and 1 along the axes of a rotated frame.
    const [c, s] = [Math.cos(0.4), Math.sin(0.4)]
    const cloud = [
      ...[
        [3, 0, 0],
        [-3, 0, 0],
        [0, 2, 0],
        [0, -2, 0],
        [0, 0, 1],
        [0, 0, -1],
      ].flatMap(([x, y, z]) => [5 + c * x! - s * y!, s * x! + c * y!, z!]),
    ]
    const { points, shares } = principalPlane(cloud, 3)
    expect(shares[0]).toBeCloseTo(9 / 14, 12)
    expect(shares[1]).toBeCloseTo(4 / 14, 12)
    expect(points[0]![0]).toBeCloseTo(3, 12)
    expect(Math.abs(points[2]![1])).toBeCloseTo(2, 12)
    expect(points[4]![0]).toBeCloseTo(0, 12)
  })

  it('accept an embedding of one dimension and one of zeros', () => {
    expect(principalPlane([1, 2, 3], 1)).toEqual({
      points: [
        [-1, 0],
        [0, 0],
        [1, 0],
      ],
      shares: [1, 0],
    })
    expect(principalPlane([0, 0, 0, 0], 2).shares).toEqual([0, 0])
  })
})

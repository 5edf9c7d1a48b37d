import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeSafetensors } from '../src/runs/safetensors.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxImages } from './support/idx.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
const readJson = (name: string) => JSON.parse(readFileSync(scratch(name), 'utf8'))

/** Writes a data set of images with 20 rows and 12 columns. */
const tall = (name: string) =>
  dataFolder(scratch(name), {
    'train-images-idx3-ubyte': idxImages(200, 20, 12),
    't10k-images-idx3-ubyte': idxImages(50, 20, 12),
  })

/** Returns the arguments that train on a folder of data, relative to the working folder as in a config. */
const trainOn = (source: string, out: string, ...settings: readonly string[]) =>
  trainArgs('eigen.json', out, `data.source=${source}`, 'model.widths=[240,16,4]', ...settings)

describe('a data set of 12 × 20 images', () => {
  beforeAll(async () => {
    tall('tall')
    const { code, stderr } = await run(...trainOn('tall', 'run', 'train.epochs=2'))
    expect([code, stderr]).toEqual([0, expect.any(String)])
  })

  it('is trained on, resumed and evaluated, and run.json names the shape', async () => {
    expect(readJson('run/run.json').imageShape).toEqual({ width: 12, height: 20 })
    expect((await run(...trainOn('tall', 'part', 'train.epochs=1'))).code).toBe(0)
    expect((await run(...trainOn('tall', 'part', 'train.epochs=2'), '--resume')).code).toBe(0)
    for (const name of ['metrics.csv', 'spectrum.csv', 'model.safetensors'])
      expect(readFileSync(scratch('part', name)), name).toEqual(readFileSync(scratch('run', name)))
    const { stdout } = await run('eval', 'run', '--json')
    const [{ mse, denoise_mse }] = JSON.parse(stdout)
    const { metrics } = readJson('run/evaluation.json')
    expect([mse, denoise_mse]).toEqual([metrics.test_mse, metrics.test_denoise_mse])
  })

  it('gives the same losses as WebAssembly', async () => {
    expect((await run(...trainOn('tall', 'wasm', 'train.epochs=2', 'device=wasm'))).code).toBe(0)
    const losses = (name: string) =>
      readFileSync(scratch(name, 'metrics.csv'), 'utf8').trimEnd().split('\n').slice(1)
    const columns = (name: string) => losses(name).map((row) => row.split(',').slice(0, 4).map(Number))
    for (const [epoch, row] of columns('wasm').entries())
      expect(row).toEqual(columns('run')[epoch]!.map((value) => expect.closeTo(value, 4)))
  })

  it('is embedded and exported, and the export names the shape', async () => {
    expect((await run('embed', 'run', '--out', 'z.csv')).code).toBe(0)
    expect(readFileSync(scratch('z.csv'), 'utf8').trimEnd().split('\n')).toHaveLength(51)
    for (const format of ['safetensors', 'onnx', 'tfjs']) {
      expect((await run('export', 'run', '--format', format, '--out', format)).code).toBe(0)
      expect(readFileSync(scratch(format, 'README.md'), 'utf8')).toContain(
        '12 × 20 = 240 pixels per image, row by row',
      )
    }
    const file = scratch('safetensors/model.safetensors')
    const { facts } = decodeSafetensors(readFileSync(file), file).metadata
    expect(JSON.parse(facts!).imageShape).toEqual({ width: 12, height: 20 })
    expect(readJson('tfjs/model.json').userDefinedMetadata.imageShape).toEqual({ width: 12, height: 20 })
    expect(readFileSync(scratch('onnx/model.onnx'), 'latin1')).toContain(
      '"imageShape":{"width":12,"height":20}',
    )
  })

  it('is drawn with its shape in pictures, the report and the page of explore', async () => {
    expect((await run('plot', 'run', '--out', 'plots')).code).toBe(0)
    expect((await run('compare', 'run', '--out', 'compared')).code).toBe(0)
    // 10 labels, or the 12 worst images: 36 × 60 pixels each, and 4 between two.
    for (const [name, columns] of [
      ['reconstructions', 10],
      ['worst-reconstructions', 12],
    ] as const) {
      const size = `width="${40 * columns - 4}" height="60" href="data:image/png`
      for (const folder of ['plots', 'compared'])
        expect(readFileSync(scratch(folder, `${name}.svg`), 'utf8').split(size), name).toHaveLength(4)
    }
    const report = readFileSync(scratch('compared/report.html'), 'utf8')
    const [, still] = /id="still-reconstructions" src="data:image\/svg\+xml;base64,([^"]+)/.exec(report)!
    expect(Buffer.from(still!, 'base64').toString()).toContain('width="396" height="60" href')
    expect((await run('explore', 'run', '--out', 'page.html')).code).toBe(0)
    const page = readFileSync(scratch('page.html'), 'utf8')
    expect(page).toContain('<canvas id="noisy" width="12" height="20"')
    expect(page).toContain('"shape":{"width":12,"height":20}')
  })

  it('is refused by a network of another width before anything is written, with the right widths', async () => {
    const args = trainArgs('eigen.json', 'never', 'data.source=tall')
    const { code, stderr } = await run(...args)
    expect(stderr).toContain(
      'model.widths: the first width is 784 but the images of tall have 12 × 20 = 240 pixels\n',
    )
    expect(stderr).toContain('Set model.widths to [240,128,64,12,10].')
    expect(code).toBe(2)
    expect(existsSync(scratch('never'))).toBe(false)
  })

  it('is compared with the widths of all arms of a sweep before the first run', async () => {
    writeFileSync(scratch('base.json'), JSON.stringify({ name: 'base', data: { source: 'tall' } }))
    const grid = {
      'model.widths': [
        [240, 4],
        [784, 4],
        [320, 4],
      ],
    }
    const sweep = { name: 'widths', variants: { base: { config: 'base.json' } }, grid, seeds: [0, 1] }
    writeFileSync(scratch('sweep.json'), JSON.stringify(sweep))
    for (const more of [[], ['--dry-run']]) {
      const { code, stderr } = await run('sweep', '--config', 'sweep.json', ...more)
      expect(stderr).toContain(
        'base,model.widths=784-4: model.widths: the first width is 784 but the images of tall have 12 × 20 = 240 pixels',
      )
      expect(stderr).toContain('base,model.widths=320-4: model.widths: the first width is 320')
      expect(stderr).not.toContain('base,model.widths=240-4')
      expect(code).toBe(2)
    }
    expect(existsSync(scratch('runs'))).toBe(false)
  })

  it('is refused by the model of a run on images of another shape', async () => {
    dataFolder(scratch('wide'), {
      'train-images-idx3-ubyte': idxImages(200, 12, 20),
      't10k-images-idx3-ubyte': idxImages(50, 12, 20),
    })
    for (const [source, shape] of [
      ['wide', '20 × 12'],
      ['mnist', '28 × 28'],
    ] as const)
      for (const command of [['eval'], ['embed', '--out', 'no.csv'], ['explore', '--out', 'no.html']]) {
        const { code, stderr } = await run(...command, 'run', '--data', source)
        expect(stderr).toContain(
          `run: the run was trained on images of 12 × 20 pixels, and those of ${source} have ${shape}`,
        )
        expect(code).toBe(2)
      }
  })
})

describe('a run whose run.json names no shape of its images', () => {
  it('was trained on 28 × 28 pixels', async () => {
    const trained = trainArgs(
      'eigen.json',
      'older',
      'model.widths=[784,16,4]',
      'train.epochs=2',
      'data.limit=200',
    )
    expect((await run(...trained)).code).toBe(0)
    const { imageShape, ...record } = readJson('older/run.json')
    expect(imageShape).toEqual({ width: 28, height: 28 })
    writeFileSync(scratch('older/run.json'), JSON.stringify(record))
    sealRun(scratch('older'))
    expect((await run('verify', 'older')).code).toBe(0)
    expect((await run('eval', 'older')).code).toBe(0)
    expect((await run('embed', 'older', '--out', 'older.csv')).code).toBe(0)
    expect((await run('plot', 'older', '--out', 'older-plots')).code).toBe(0)
    expect(readFileSync(scratch('older-plots/reconstructions.svg'), 'utf8')).toContain(
      'width="596" height="56"',
    )
    const { code, stderr } = await run('eval', 'older', '--data', 'tall')
    expect(stderr).toContain(
      'the run was trained on images of 28 × 28 pixels, and those of tall have 12 × 20',
    )
    expect(code).toBe(2)
  })
})

describe('images that no network takes', () => {
  it.each([
    ['mixed', [20, 12], [28, 28], 'its images have 28 × 28 pixels, those of mixed'],
    ['empty', [0, 12], [0, 12], 'its images have 12 × 0 = 0 pixels, and a network takes'],
    ['huge', [300, 400], [300, 400], 'its images have 400 × 300 = 120000 pixels'],
  ] as const)('are refused: %s', async (source, train, test, message) => {
    dataFolder(scratch(source), {
      'train-images-idx3-ubyte': idxImages(200, ...train),
      't10k-images-idx3-ubyte': idxImages(50, ...test),
    })
    const { code, stderr } = await run(...trainOn(source, 'refused'))
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { summarise } from '../src/comparison/statistics.js'
import { loadNativeBinding } from '../src/engines/native/binding.js'
import { linearProbeAccuracy, nearestIndices, type Scoring } from '../src/training/classifiers.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxImages, idxLabels } from './support/idx.js'
import { sealRun } from './support/seal.js'
import { readJson } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })

beforeAll(async () => {
  const small = ['data.limit=600', 'train.epochs=1', 'model.widths=[784,16,5]']
  for (const name of ['a', 'b'])
    await eigenae(trainArgs('batch-norm.json', scratch('runs', name), ...small, `name=${name}`))
  dataFolder(scratch('other'))
  const wrong = { 'train-images-idx3-ubyte': idxImages(20, 14, 14), 'train-labels-idx1-ubyte': idxLabels(20) }
  dataFolder(scratch('two-sizes'), wrong)
  const testSplit = {
    't10k-images-idx3-ubyte': idxImages(20, 14, 14),
    't10k-labels-idx1-ubyte': idxLabels(20),
  }
  dataFolder(scratch('small-images'), { ...wrong, ...testSplit })
})

describe('eigenae eval', () => {
  it('reproduces the figures of evaluation.json exactly', async () => {
    const { stdout, stderr, code } = await run('eval', 'runs/a', '--json', '--threads', '2')
    expect([code, stderr]).toEqual([0, ''])
    const [found] = JSON.parse(stdout)
    const { metrics, ...evaluation } = readJson(scratch('runs/a/evaluation.json'))
    expect(Object.keys(evaluation)).toEqual(['spectrum', 'linear_probe_accuracy', 'neighbour_accuracy'])
    expect(found).toMatchObject({ ...evaluation, split: 'test', images: 10000 })
    expect(found).toMatchObject({
      mse: metrics.test_mse,
      denoise_mse: metrics.test_denoise_mse,
      top_share: metrics.top_share,
      effective_rank: metrics.effective_rank,
      dead_dimensions: metrics.dead_dimensions,
    })
    expect(found.neighbour_accuracy).toBeGreaterThan(0.3)
  })

  it('measures other data, splits and noise, and prints all runs of a folder in one table', async () => {
    const choice = ['--data', 'other', '--split', 'train', '--images', '30', '--noise', '0']
    const { stdout, code } = await run('eval', 'runs', ...choice)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^runs\/a +1 +30 train +0 +0\.\d+ +0\.\d+ .* %( |$)/m)
    expect(stdout).toMatch(/^spectrum σ\/Σσ\nruns\/a( +\.\d{4}){5}\nruns\/b( +\.\d{4}){5}$/m)
    const [found] = JSON.parse((await run('eval', 'runs/a', ...choice, '--json')).stdout)
    expect(found.denoise_mse).toBe(found.mse)
    expect(found.data).toBe('other')
  })

  it('gives the means of an arm over its completed runs, with 95 % intervals', async () => {
    for (const name of ['a', 'b'])
      await cp(scratch('runs', name), scratch('arm', `seed-${name}`), { recursive: true })
    await cp(scratch('runs/b'), scratch('arm/stopped'), { recursive: true })
    for (const file of ['model.safetensors', 'evaluation.json']) await rm(scratch('arm/stopped', file))
    sealRun(scratch('arm/stopped'), { status: 'interrupted', files: undefined })
    const choice = ['--images', '200', '--noise', '0.5']
    const runs: readonly Record<string, number>[] = JSON.parse(
      (await run('eval', 'arm', ...choice, '--json')).stdout,
    )
    expect(runs.map(({ arm }) => arm)).toEqual(['arm', 'arm', 'arm'])
    const { mean, interval } = summarise([runs[0]!.linear_probe_accuracy!, runs[1]!.linear_probe_accuracy!])
    const { stdout } = await run('eval', 'arm', ...choice)
    expect(stdout).toMatch(/^mean of the arm +n +MSE/m)
    const row = /^arm +2 of 3 .*$/m.exec(stdout)![0]
    const means = Array.from(row.matchAll(/(\d+\.\d+) ± +(\d+\.\d+)/g), ([, value, half]) => [
      Number(value),
      Number(half),
    ])
    expect(means).toContainEqual([
      expect.closeTo(100 * mean, 1),
      expect.closeTo(50 * (interval!.high - interval!.low), 1),
    ])
    expect((await run('eval', 'runs/a', ...choice)).stdout).not.toContain('±')
  })

  it('measures the checkpoint of an incomplete run, with a warning', async () => {
    await cp(scratch('runs/a'), scratch('stopped'), { recursive: true })
    await rm(scratch('stopped/model.safetensors'))
    await rm(scratch('stopped/evaluation.json'))
    sealRun(scratch('stopped'), { status: 'interrupted', files: undefined })
    const { code, stderr } = await run('eval', 'stopped', '--images', '50')
    expect(stderr).toContain('stopped: not complete (interrupted); using its checkpoint of epoch 1 of 1')
    expect(code).toBe(0)
    await rm(scratch('stopped/checkpoint'), { recursive: true })
    await rm(scratch('stopped/metrics.csv'))
    const without = await run('eval', 'stopped')
    expect(without).toMatchObject({ code: 2, stdout: '' })
    expect(without.stderr).toContain('stopped: this run has no model yet\nTrain it first')
  })

  it.each([
    [['--images', '10001'], '--images: is 10001, but there are only 10000 test images'],
    [['--noise', '-1'], '--noise: must be a number from 0 to 1000 (got "-1")'],
    [
      ['--data', 'two-sizes'],
      'two-sizes/t10k-images-idx3-ubyte: its images have 28 × 28 pixels, those of two-sizes/train-images-idx3-ubyte have 14 × 14',
    ],
    [
      ['--data', 'small-images'],
      'runs/a: the run was trained on images of 28 × 28 pixels, and those of small-images have 14 × 14',
    ],
    [['--data', 'nowhere'], 'no such data file'],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await run('eval', 'runs/a', ...flags)
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })
})

describe('k-nearest neighbours', () => {
  /** Returns the indices that sorting all distances gives, the lower index first if equally near. */
  const sorted = (points: Float32Array, queries: Float32Array, latent: number, scoring: Scoring) => {
    const at = (values: Float32Array, index: number) => values.subarray(index * latent, (index + 1) * latent)
    return Array.from({ length: queries.length / latent }, (_, query) => {
      const from = at(queries, query)
      const far = Array.from({ length: points.length / latent }, (_, index) =>
        at(points, index).reduce((sum, value, j) => sum + (value - from[j]!) ** 2, 0),
      )
      const others = [...far.keys()].filter((index) => scoring === 'apart' || index !== query)
      const nearest = others.sort((a, b) => far[a]! - far[b]! || a - b).slice(0, 5)
      return [...nearest, ...Array<number>(5 - nearest.length).fill(-1)]
    }).flat()
  }

  // Without the addon, WebAssembly searches.
  describe.each(['', 'no such set', ...loadNativeBinding().binding.instructionSets])(
    'with EIGENAE_ISA="%s"',
    (isa) => {
      beforeEach(() => vi.stubEnv('EIGENAE_ISA', isa))
      afterEach(() => vi.unstubAllEnvs())

      it.each(['apart', 'left-out'] as const)(
        'are those that a plain search finds, on any number of threads (%s)',
        async (scoring) => {
          for (const latent of [1, 10, 40]) {
            // Numbers that float32 rounds, and integers with many equal distances.
            for (const round of [(x: number) => Math.sin(x * x), (x: number) => (x * x * 31 + x * 7) % 11]) {
              const points = Float32Array.from({ length: 700 * latent }, (_, i) => round(i))
              const queries =
                scoring === 'apart' ? points.map((value) => 1 - value) : points.subarray(0, 200 * latent)
              const some = queries.subarray(0, 60 * latent)
              const expected = sorted(points, some, latent, scoring)
              for (const threads of [1, 3]) {
                const found = await nearestIndices(points, queries, { latent, scoring, threads })
                expect(Array.from(found.subarray(0, expected.length))).toEqual(expected)
              }
            }
          }
        },
      )

      it('are all points if there are few', async () => {
        const search = { latent: 1, scoring: 'apart', threads: 1 } as const
        const found = await nearestIndices(Float32Array.of(1, 1, 5), Float32Array.of(4), search)
        expect(Array.from(found)).toEqual([2, 0, 1, -1, -1])
      })

      it('are not searched further once the signal is aborted', async () => {
        const controller = new AbortController()
        const points = new Float32Array(3000 * 40).map((_, i) => Math.sin(i * i))
        const search = { latent: 40, scoring: 'left-out', threads: 1, signal: controller.signal } as const
        const searching = nearestIndices(points, points, search)
        controller.abort(new Error('enough'))
        await expect(searching).rejects.toThrow('enough')
        await expect(nearestIndices(points, points, search)).rejects.toThrow('enough')
      })
    },
  )
})

it('leaves an image out of the linear probe as a fit without it would', async () => {
  const latent = 3
  const count = 60
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * i) % 4)
  const embedding = Float32Array.from(
    { length: count * latent },
    (_, i) => ((i * 7919) % 101) / 50 + labels[Math.floor(i / latent)]! / 3,
  )
  const without = (list: ArrayLike<number>, from: number, to: number) => [
    ...Array.from(list).slice(0, from),
    ...Array.from(list).slice(to),
  ]
  let hits = 0
  for (let i = 0; i < count; i++) {
    const rest = {
      embedding: Float32Array.from(without(embedding, i * latent, (i + 1) * latent)),
      labels: Uint8Array.from(without(labels, i, i + 1)),
    }
    const one = { embedding: embedding.slice(i * latent, (i + 1) * latent), labels: labels.slice(i, i + 1) }
    hits += await linearProbeAccuracy(rest, one, latent, 'apart')
  }
  const all = { embedding, labels }
  expect(await linearProbeAccuracy(all, all, latent, 'left-out')).toBe(hits / count)
  expect(await linearProbeAccuracy(all, all, latent, 'apart')).not.toBe(hits / count)
})

describe('eigenae embed', () => {
  it('writes a row per image as CSV, and replaces its own embedding', async () => {
    for (const images of ['7', '3']) {
      const { code, stdout } = await run(
        ...['embed', 'runs/a', '--out', 'made/z.csv', '--images', images, '--overwrite'],
      )
      expect([code, stdout]).toEqual([0, 'made/z.csv\n'])
    }
    const [header, first, ...more] = (await readFile(scratch('made/z.csv'), 'utf8')).trimEnd().split('\n')
    expect(header).toBe('index,label,z1,z2,z3,z4,z5')
    expect(first).toMatch(/^0,7(,-?[\d.e-]+){5}$/)
    expect(more).toHaveLength(2)
    expect(await readdir(scratch('made'))).toEqual(['z.csv'])
  })

  it('changes with noise', async () => {
    const last = async (...flags: string[]) => {
      await run('embed', 'runs/a', '--out', 'noisy.csv', '--images', '1', '--overwrite', ...flags)
      return (await readFile(scratch('noisy.csv'), 'utf8')).trimEnd().split('\n').at(-1)
    }
    expect(await last('--noise', '0.2')).not.toBe(await last())
  })

  it('refuses an unknown extension and foreign files before it writes anything', async () => {
    const unknown = await run('embed', 'runs/a', '--out', 'nowhere/z.txt')
    expect(unknown.stderr).toContain('--out: must end with .csv or .npy (got "nowhere/z.txt")')
    expect(unknown.code).toBe(2)
    await writeFile(scratch('theirs.csv'), 'a,b\n1,2\n')
    const theirs = await run('embed', 'runs/a', '--out', 'theirs.csv')
    expect(theirs.stderr).toContain('theirs.csv: exists and was not written by this command')
    expect(theirs.code).toBe(2)
    expect(await readFile(scratch('theirs.csv'), 'utf8')).toBe('a,b\n1,2\n')
    expect(await readdir(scratch())).not.toContain('nowhere')
  })
})

describe('eigenae export', () => {
  const args = ['export', 'runs/a', '--format', 'onnx', '--out', 'model']

  it('writes a folder, and replaces it only with --overwrite', async () => {
    const { code, stdout } = await run(...args)
    expect([code, stdout]).toEqual([0, 'model/README.md\nmodel/model.onnx\n'])
    const again = await run(...args)
    expect(again.stderr).toContain(
      'model: this folder exists and is not empty\nReplace the export in it with --overwrite',
    )
    expect(again.code).toBe(2)
    const other = await run('export', 'runs/b', '--format', 'tfjs', '--out', 'model', '--overwrite')
    expect(other.code).toBe(0)
    expect((await readdir(scratch('model'))).sort()).toEqual(['README.md', 'model.json', 'weights.bin'])
    expect(await readFile(scratch('model/README.md'), 'utf8')).toContain('# Autoencoder of b, seed 0')
    expect((await readdir(scratch())).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('does not replace the working folder, empty or not', async () => {
    await mkdir(scratch('inside'))
    const inside = () =>
      eigenae(['export', '../runs/a', '--format', 'onnx', '--out', '.', '--overwrite'], {
        cwd: scratch('inside'),
      })
    const refusal = 'eigenae: .: is the working folder, which an export cannot replace\n'
    const empty = await inside()
    await run('export', 'runs/a', '--format', 'onnx', '--out', 'inside')
    const used = await inside()
    expect([empty.code, used.code]).toEqual([2, 2])
    expect([empty.stderr, used.stderr]).toEqual([
      expect.stringContaining(refusal),
      expect.stringContaining(refusal),
    ])
  })

  it('names a folder that is a mount point', async () => {
    await mkdir(scratch('mounted'))
    const busy = `--import data:text/javascript,${encodeURIComponent(
      `import fs from 'node:fs'
       import { syncBuiltinESMExports } from 'node:module'
       fs.promises.rename = async () => { throw Object.assign(new Error('busy'), { code: 'EBUSY' }) }
       syncBuiltinESMExports()`,
    )}`
    const mounted = ['export', 'runs/a', '--format', 'onnx', '--out', 'mounted']
    const { code, stderr } = await eigenae(mounted, { cwd: scratch(), env: { NODE_OPTIONS: busy } })
    expect(stderr).toContain(
      'mounted: cannot be replaced: it is a mount point, or its parent is on another file system\nName a folder inside it with --out.',
    )
    expect(code).toBe(2)
    expect((await readdir(scratch())).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('names the data in README.md', async () => {
    const settings = ['data.source=other', 'train.epochs=1', 'model.widths=[784,5]']
    await eigenae(trainArgs('batch-norm.json', 'runs-of-other/a', ...settings), { cwd: scratch() })
    await run('export', 'runs-of-other/a', '--format', 'tfjs', '--out', 'exported')
    const readme = await readFile(scratch('exported/README.md'), 'utf8')
    expect(readme).toContain('A denoising autoencoder of the images in `other`, trained for 1 epoch and')
    expect(readme).toContain('each a byte divided by 255.\n')
    await run('export', 'runs/a', '--format', 'tfjs', '--out', 'of-digits')
    const digits = await readFile(scratch('of-digits/README.md'), 'utf8')
    expect(digits).toContain('A denoising autoencoder of MNIST digits, trained for 1 epoch and')
  })

  it('keeps a folder that holds anything else, even with --overwrite', async () => {
    await run('export', 'runs/a', '--format', 'tfjs', '--out', 'kept')
    await writeFile(scratch('kept/notes.txt'), 'mine')
    const { code, stderr } = await run('export', 'runs/a', '--format', 'onnx', '--out', 'kept', '--overwrite')
    expect(stderr).toContain('kept: holds notes.txt, which is not part of an eigenae export')
    for (const [out, problem] of [
      ['kept/notes.txt', 'is a file, not a folder'],
      ['kept/notes.txt/in', 'a part of this path is a file, not a folder'],
    ] as const) {
      const onFile = await run('export', 'runs/a', '--format', 'onnx', '--out', out, '--overwrite')
      expect(onFile.stderr).toContain(`${out}: ${problem}\nName another folder with --out.`)
    }
    expect(code).toBe(2)
    expect(await readdir(scratch('kept'))).toContain('weights.bin')
  })

  it('refuses several runs and a damaged model, and leaves no files', async () => {
    const out = ['--format', 'onnx', '--out', 'none']
    expect((await run('export', 'runs', ...out)).stderr).toContain(
      'runs: holds 2 runs; export takes one\nName one of them',
    )
    expect((await run('export', 'other', ...out)).stderr).toContain('other: holds no run')
    expect((await run('export', 'missing', ...out)).stderr).toContain(
      'missing: cannot read the folder: does not exist',
    )
    await cp(scratch('runs/a'), scratch('damaged'), { recursive: true })
    const file = scratch('damaged/model.safetensors')
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, 5000))
    sealRun(scratch('damaged'))
    expect((await run('export', 'damaged', ...out)).stderr).toContain(
      'model.safetensors: this file is damaged',
    )
    const flipped = Buffer.from(bytes)
    flipped[flipped.length - 100]! ^= 1
    await writeFile(file, flipped)
    sealRun(scratch('damaged'))
    expect((await run('export', 'damaged', ...out)).stderr).toContain(
      'but its numbers are not those that were written',
    )
    bytes.write('"F99"', bytes.indexOf('"F32"'))
    await writeFile(file, bytes)
    sealRun(scratch('damaged'))
    expect((await run('export', 'damaged', ...out)).stderr).toContain('does not describe fp32 tensors')
    expect(await readdir(scratch())).not.toContain('none')
  })
})

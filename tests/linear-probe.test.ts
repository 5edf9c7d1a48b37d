import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { openWasmMeasures } from '../src/engines/measures.js'
import { loadNativeBinding } from '../src/engines/native/binding.js'
import { linearProbeAccuracy, nearestNeighbourAccuracy } from '../src/training/classifiers.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxLabels } from './support/idx.js'
import { readJson } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })

/** Labels from 1 to 26, like those of EMNIST's letters. */
function letters(count: number): Buffer {
  const bytes = idxLabels(count)
  for (let i = 0; i < count; i++) bytes[8 + i] = 1 + (i % 26)
  return bytes
}

describe('a data set with labels 1 to 26', () => {
  beforeAll(async () => {
    const labels = { 'train-labels-idx1-ubyte': letters(200), 't10k-labels-idx1-ubyte': letters(50) }
    dataFolder(scratch('letters'), labels)
    const settings = [`data.source=${scratch('letters')}`, 'model.widths=[784,6]', 'train.epochs=1']
    const { code, stderr } = await eigenae(trainArgs('eigen.json', scratch('run'), ...settings))
    expect([stderr, code]).toEqual([expect.not.stringContaining('label'), 0])
  })

  it('can be trained on and evaluated with an encoder of one layer', async () => {
    const { linear_probe_accuracy } = readJson(scratch('run/evaluation.json'))
    expect(linear_probe_accuracy).toBeGreaterThanOrEqual(0)
    const { code, stdout } = await run('eval', 'run', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)[0].linear_probe_accuracy).toBe(linear_probe_accuracy)
  })

  it('can be embedded with its labels', async () => {
    expect((await run('embed', 'run', '--out', 'z.csv')).code).toBe(0)
    const rows = (await readFile(scratch('z.csv'), 'utf8')).trimEnd().split('\n').slice(1)
    expect(rows[25]).toMatch(/^25,26,/)
  })

  it('is drawn with a colour and a reconstruction of each label', async () => {
    expect((await run('plot', 'run')).code).toBe(0)
    const embedding = await readFile(scratch('run/plots/embedding.svg'), 'utf8')
    const colors = new Set(
      [...embedding.matchAll(/fill="(hsl\([^"]+|#[0-9a-f]{6})"[^>]*>\d+</g)].map(([, color]) => color),
    )
    // The axes' numbers have one more colour.
    expect(colors.size).toBe(26 + 1)
    const grid = await readFile(scratch('run/plots/reconstructions.svg'), 'utf8')
    expect(Number(/^<svg [^>]*width="(\d+)"/.exec(grid)![1])).toBeLessThan(1280)
    const widths = [...grid.matchAll(/<image [^>]*width="(\d+)"/g)].map(([, width]) => Number(width))
    // Two blocks of an original, a noisy and a reconstructed row, each with 13 letters of 56 pixels.
    expect(widths).toEqual(Array(6).fill(13 * 56 + 12 * 4))
  })

  it('is explored with a button for each label in its own colour', async () => {
    expect((await run('explore', 'run', '--out', 'page.html')).code).toBe(0)
    const page = await readFile(scratch('page.html'), 'utf8')
    expect(
      [...page.matchAll(/<button type="button" data-label="(\d+)"/g)].map(([, label]) => Number(label)),
    ).toEqual(Array.from({ length: 26 }, (_, i) => i + 1))
    expect(page).toMatch(/--label-26: hsl/)
  })
})

it('measures accuracies with labels up to 255', async () => {
  const classes = [3, 77, 255]
  const labels = Uint8Array.from({ length: 90 }, (_, i) => classes[i % 3]!)
  const embedding = Float32Array.from({ length: 90 * 3 }, (_, i) =>
    Math.floor(i / 3) % 3 === i % 3 ? 5 : (i % 7) / 7,
  )
  const set = { embedding, labels }
  for (const scoring of ['apart', 'left-out'] as const) {
    expect(await linearProbeAccuracy(set, set, 3, scoring)).toBe(1)
    expect(await nearestNeighbourAccuracy(set, set, { latent: 3, scoring, threads: 1 })).toBe(1)
  }
})

it.each([true, false])(
  'counts the same hits with the addon and with WebAssembly, leave-one-out: %s',
  async (leaveOut) => {
    const [count, latent] = [203, 7]
    const labels = Uint8Array.from({ length: count }, (_, i) => (i * i) % 5)
    const embedding = Float32Array.from(
      { length: count * latent },
      (_, i) => ((i * 7919) % 101) / 50 + labels[Math.floor(i / latent)]! / 3,
    )
    const set = { embedding, labels }
    const probe = { train: set, scored: set, latent, leaveOut }
    const hits = await loadNativeBinding().binding.countProbeHits(probe).result
    expect(await (await openWasmMeasures()).countProbeHits(probe).result).toBe(hits)
    expect(hits / count).toBeGreaterThan(1 / 5)
    expect(hits).toBeLessThan(count)
  },
)

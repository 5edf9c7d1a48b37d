import { readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeArms } from './support/compared-arms.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const compare = (...args: readonly string[]) => eigenae(['compare', ...args], { cwd: scratch() })

beforeAll(() => writeArms(scratch))

describe('eigenae compare', () => {
  it('warns of different noise and epochs by their paths, of runs left out, and of repeated seeds', async () => {
    writeRun(scratch('odd', 'a', 'seed-0'), { epochs: 5, noise: 0.3 })
    writeRun(scratch('odd', 'a', 'again'), { epochs: 5, noise: 0.3 })
    const { stderr } = await compare('arms/none', 'arms/eigen', 'odd/a')
    expect(stderr).toContain('the arms also differ in data.noise, train.epochs')
    expect(stderr).toContain('left out of arms/eigen: arms/eigen/seed-3 failed (no power)')
    expect(stderr).toContain('odd/a: has seed 0 more than once')
    expect((await compare('arms/none', 'arms/norm')).stderr).toBe('')
  })

  it('warns of different devices, engines and versions, between arms and within an arm', async () => {
    const tensorflow = { device: 'tensorflow-cpu', engine: { name: 'tensorflow', variant: '2.15.0' } }
    const wide = { engine: { name: 'native', variant: 'avx512' } }
    for (const seed of [0, 1]) {
      writeRun(scratch('made', 'native', `seed-${seed}`), { seed })
      writeRun(scratch('made', 'tensorflow', `seed-${seed}`), { seed, ...tensorflow })
      writeRun(scratch('made', 'mixed', `seed-${seed}`), { seed, ...(seed === 1 && wide) })
      writeRun(scratch('made', 'newer', `seed-${seed}`), { seed, version: '0.2.0' })
    }
    const between = await compare('made/native', 'made/tensorflow', '--out', 'made/report')
    const warning =
      'the arms differ in device (cpu, tensorflow-cpu), engine (native scalar, tensorflow 2.15.0): ' +
      'this may cause differences between them'
    expect(between.stderr).toContain(`warning: ${warning}\n`)
    expect(between.stdout).toMatch(/^native † .* device=cpu$/m)
    expect(between.stdout).toMatch(/^tensorflow .* device=tensorflow-cpu$/m)
    const json = JSON.parse(await readFile(scratch('made/report/comparison.json'), 'utf8'))
    expect(json.warnings).toEqual([warning])
    expect(await readFile(scratch('made/report/report.html'), 'utf8')).toContain(`<li>${warning}</li>`)
    expect((await compare('made/mixed')).stderr).toBe(
      'warning: made/mixed: its runs differ in engine (native scalar, native avx512)\n',
    )
    expect((await compare('made/native', 'made/newer')).stderr).toContain(
      'differ in eigenae (0.1.0, 0.2.0): ',
    )
    expect((await compare('made/native/seed-0', 'made/native')).stderr).toBe('')
  })

  it('warns of different data, between arms and within an arm', async () => {
    const [first, second, other] = ['data/a/seed-0', 'data/a/seed-1', 'data/b/seed-0'].map((run, seed) =>
      writeRun(scratch(run), { seed: seed % 2 }),
    )
    sealRun(second!, { dataSha256: { trainImages: 'def' } })
    sealRun(other!, { dataSha256: { trainImages: 'ghi' } })
    expect((await compare('data/a')).stderr).toBe(
      'warning: data/a: its runs were trained on different data: trainImages differ\n',
    )
    expect((await compare(first!, other!)).stderr).toBe(
      'warning: the arms were trained on different data: trainImages differ\n',
    )
  })

  it('warns of settings that a grid varies only if they make the metrics incomparable', async () => {
    const arm = (settings: string) => scratch('grid', `none,${settings}`, 'seed-0')
    writeRun(arm('train.batchSize=64,data.noise=0.2'))
    writeRun(arm('train.batchSize=256,data.noise=0.3'), { batchSize: 256, noise: 0.3 })
    writeRun(arm('train.batchSize=256,data.noise=0.2'), { batchSize: 256 })
    const { stderr } = await compare('grid')
    expect(stderr).toBe('warning: the arms also differ in data.noise\n')
  })

  it('warns of a spectrum with fewer images than dimensions', async () => {
    writeRun(scratch('few'))
    const config = JSON.parse(await readFile(scratch('few', 'config.json'), 'utf8'))
    const spectrum = { ...config.spectrum, images: 3 }
    await writeFile(scratch('few', 'config.json'), JSON.stringify({ ...config, spectrum }))
    sealRun(scratch('few'))
    expect((await compare('few')).stderr).toContain(
      'warning: few: a spectrum of 3 images has at most 3 of 4 dimensions, whatever the network does',
    )
  })
})

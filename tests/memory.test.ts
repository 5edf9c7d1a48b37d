import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from './support/cli.js'
import { dataFolder } from './support/idx.js'
import { writeRun } from './support/run-folder.js'
import { writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const bin = join(import.meta.dirname, '../bin/eigenae.js')

/** Runs the command line with a limit on its address space, in gigabytes, as login nodes of clusters set one. */
function limited(gigabytes: number, ...args: readonly string[]): SpawnSyncReturns<string> {
  const shell = `ulimit -v ${gigabytes * 1e6} && exec "$0" "$@"`
  return spawnSync('bash', ['-c', shell, process.execPath, bin, ...args], { encoding: 'utf8' })
}

describe('with a limited heap', () => {
  it('exports the course of a long run event by event', () => {
    const run = writeRun(scratch('long'), { epochs: 40_000, latent: 2 })
    const args = ['export', run, '--format', 'tensorboard', '--out', scratch('course')]
    const { status, stderr } = spawnSync(process.execPath, ['--max-old-space-size=64', bin, ...args], {
      encoding: 'utf8',
    })
    expect(status, stderr).toBe(0)
    expect(readdirSync(scratch('course'))).toContain('events.out.tfevents.eigenae')
  })
})

// Node itself reserves up to 1 GB of addresses. macOS has no such limit.
describe.skipIf(process.platform !== 'linux')('with limited address space', () => {
  it('sweeps, compares and draws', () => {
    mkdirSync(scratch('sweep'))
    const small = { data: { limit: 300 }, train: { epochs: 1 } }
    writeJson(scratch('sweep', 'none.json'), { name: 'none', ...small })
    writeJson(scratch('sweep', 'eigen.json'), { name: 'eigen', ...small, loss: { eigen: { kind: 'top-k' } } })
    const variants = { none: 'none.json', eigen: 'eigen.json' }
    const sweep = writeJson(scratch('sweep', 'sweep.json'), { name: 's', variants, seeds: [1] })
    const runs = scratch('sweep', 'runs')
    const statusOf = (...args: readonly string[]) => {
      const { status, stderr } = limited(4, ...args)
      return status === 0 ? 0 : stderr
    }
    expect(statusOf('sweep', '--config', sweep, '--out', runs)).toBe(0)
    expect(statusOf('compare', runs, '--out', scratch('comparison'))).toBe(0)
    expect(readdirSync(scratch('comparison'))).toContain('final.png')
    expect(statusOf('plot', join(runs, 'eigen'))).toBe(0)
  })

  it('fails with exit code 1 if a data file does not fit into memory', () => {
    const source = dataFolder(scratch('large'))
    const count = 1_500_000
    const images = join(source, 'train-images-idx3-ubyte')
    const header = Buffer.from([0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28])
    header.writeUInt32BE(count, 4)
    writeFileSync(images, header)
    truncateSync(images, header.length + count * 784)
    const config = writeJson(scratch('large.json'), { name: 'large', data: { source } })
    const { status, stderr } = limited(1.5, 'train', '--config', config, '--out', scratch('never'))
    expect(stderr).toMatch(/train-images-idx3-ubyte: cannot read the data: not enough memory\n.*ulimit -v/)
    expect(status).toBe(1)
  })

  it('reports that WebAssembly, which reserves gigabytes, does not fit', () => {
    const config = writeJson(scratch('wasm.json'), {
      name: 'wasm',
      data: { limit: 300 },
      train: { epochs: 1 },
    })
    const { status, stderr } = limited(
      4,
      'train',
      '--config',
      config,
      '--device',
      'wasm',
      '--out',
      scratch('wasm'),
    )
    expect(stderr).toMatch(/eigenae: not enough memory\n.*ulimit -v/)
    expect(status).toBe(1)
  })
})

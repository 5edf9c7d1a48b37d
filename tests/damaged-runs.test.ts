import { readFileSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { damagedRuns, withChangedDigit } from './support/damaged-runs.js'
import { sealRun } from './support/seal.js'
import { expectSameRuns, readJson, writeJson } from './support/sweeps.js'

const { copy, edit, resume, run, scratch, truncate } = damagedRuns()

describe('a run', () => {
  it('of another config is refused, and so is a config.json that was changed to match', async () => {
    await copy('whole/seed-0', 'theirs')
    const other = await resume('theirs', '--seed', '5')
    expect(other.stderr).toContain('seed: 0 in the folder, 5 now')
    expect(other.code).toBe(2)
    await edit('theirs/config.json', (text) => text.replace('"noise": 0.2', '"noise": 0.3'))
    const before = await readFile(scratch('theirs/run.json'))
    const fitted = await run('train', '--config', 'theirs/config.json', '--out', 'theirs', '--resume')
    expect(fitted.stderr).toContain('config.json was changed: run.json names another config')
    expect(fitted.code).toBe(2)
    expect(await readFile(scratch('theirs/run.json'))).toEqual(before)
  })

  it('that is damaged is listed as such, and left out of its picture', async () => {
    for (const seed of [0, 1]) await copy(`whole/seed-${seed}`, `listed/seed-${seed}`)
    await edit('listed/seed-1/metrics.csv', withChangedDigit)
    const { stdout, stderr } = await run('runs', 'listed', '--json')
    expect(JSON.parse(stdout).map((each: { status: string }) => each.status)).toEqual([
      'completed',
      'damaged',
    ])
    expect(stderr).toContain('warning: listed/seed-1: metrics.csv is not what the run wrote')
    const drawn = await run('plot', 'listed')
    expect([drawn.code, drawn.stderr]).toEqual([
      0,
      expect.stringContaining('left out of listed: listed/seed-1'),
    ])
    const alone = await run('plot', 'listed/seed-1')
    expect([alone.code, alone.stdout]).toEqual([1, ''])
    const compared = await run('compare', 'listed/seed-1')
    expect(compared.stderr).toMatch(
      /holds no completed run\n {2}listed\/seed-1: this run is damaged\n.*metrics.csv/,
    )
  })

  it('is verified within a folder of runs, as JSON', async () => {
    const { stdout, code } = await run('verify', 'whole', 'stopped', '--json')
    expect(JSON.parse(stdout).map((each: { state: string }) => each.state)).toEqual([
      'ok',
      'ok',
      'incomplete',
    ])
    expect(code).toBe(0)
  })
})

describe('safetensors', () => {
  /** Writes a model with a changed header. */
  const withOffsets = (from: string, to: string, change: (header: Record<string, never>) => void) => {
    const bytes = readFileSync(scratch(from))
    const length = Number(bytes.readBigUInt64LE())
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
    change(header)
    const json = Buffer.from(JSON.stringify(header).padEnd(length))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(json.length))
    writeFileSync(scratch(to), Buffer.concat([size, json, bytes.subarray(8 + length)]))
  }

  it.each([
    [
      'overlap',
      (header: Record<string, { data_offsets: number[] }>) => {
        header['encoder.1.bias']!.data_offsets = [...header['encoder.0.bias']!.data_offsets]
      },
    ],
    [
      'no-sum',
      (header: Record<string, { sha256?: string }>) => {
        delete header.__metadata__!.sha256
      },
    ],
  ])('with %s are refused', async (name, change) => {
    await copy('whole/seed-0', name)
    withOffsets('whole/seed-0/model.safetensors', `${name}/model.safetensors`, change as never)
    sealRun(scratch(name))
    const { stderr, code } = await run('eval', name, '--images', '10')
    expect(stderr).toContain('its numbers are not those that were written')
    expect(code).toBe(1)
  })
})

describe('a sweep', () => {
  it('with damaged runs and a damaged sweep.json remakes exactly those with --resume', async () => {
    writeJson(scratch('sweep.json'), { name: 'swept', variants: { none: 'none.json' }, seeds: [0, 1, 2, 3] })
    const sweep = (...args: readonly string[]) => run('sweep', '--config', 'sweep.json', ...args)
    expect((await sweep()).code).toBe(0)
    await copy('runs/swept', 'swept-whole')
    const folder = (seed: number) => `runs/swept/none/seed-${seed}`
    truncate(`${folder(0)}/config.json`, 30)
    truncate(`${folder(1)}/run.json`, 30)
    truncate(`${folder(2)}/model.safetensors`, 30)
    truncate('runs/swept/sweep.json', 30)
    const before = await readFile(scratch(folder(3), 'run.json'))
    const verified = await run('verify', 'runs/swept')
    expect(verified.stdout).toMatch(/^runs\/swept +damaged +sweep.json is not valid JSON$/m)
    expect(verified.stdout).toMatch(/seed-1 +damaged +run.json is not the record of an eigenae run$/m)
    expect(verified.stderr).toMatch(/^eigenae: 1 damaged sweep.json, 3 of 4 runs damaged\n/m)
    expect(verified.code).toBe(1)
    expect((await sweep('--dry-run')).stderr).toContain('4 runs: 1 done, 3 to do')
    const { code, stderr } = await sweep('--resume')
    expect(stderr).toContain('4 runs, 1 done')
    for (const file of ['sweep.json', 'seed-0: config.json', 'seed-1: run.json', 'seed-2: model.safetensors'])
      expect(stderr).toMatch(new RegExp(`damaged, so it is remade: .*${file} `))
    expect(code).toBe(0)
    expect(await readFile(scratch(folder(3), 'run.json'))).toEqual(before)
    const runs = readJson(scratch('runs/swept/sweep.json')).runs
    await expectSameRuns(runs, scratch('runs/swept'), scratch('swept-whole'))
    expect((await readdir(scratch('runs/swept'))).sort()).toEqual(['none', 'sweep.json'])
  })
})

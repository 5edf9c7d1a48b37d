import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { appendFile, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Damage } from '../src/runs/integrity.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
const resume = (folder: string, ...args: readonly string[]) =>
  run('train', '--config', 'none.json', '--out', folder, '--resume', ...args)
const copy = (from: string, to: string) => cp(scratch(from), scratch(to), { recursive: true })
const checkpoint = 'checkpoint/state.safetensors'

/** Runs of two seeds, and one of them stopped after two of three epochs. */
beforeAll(async () => {
  tinyConfigs(scratch(), 3)
  for (const seed of ['0', '1'])
    await run('train', '--config', 'none.json', '--out', `whole/seed-${seed}`, '--seed', seed)
  await run('train', '--config', 'none.json', '--out', 'short', '--epochs', '2')
  await stopAfterTwo('whole/seed-0', 'stopped')
  await stopAfterTwo('whole/seed-1', 'stopped-1')
})

/** A run that a full disk stopped: a folder in the place of the third epoch's checkpoint. */
async function stopAfterTwo(from: string, to: string): Promise<void> {
  const seed = from.at(-1)!
  const args = ['train', '--config', 'none.json', '--out', to, '--seed', seed]
  const preload = scratch('stop.mjs')
  await writeFile(preload, stopAtThirdCheckpoint)
  const { code } = await eigenae(args, { cwd: scratch(), env: { NODE_OPTIONS: `--import=${preload}` } })
  expect(code).not.toBe(0)
}

// Ends the process as kill -9 does, when it is about to replace the checkpoint for the fourth time (epochs 0, 1, 2, 3).
const stopAtThirdCheckpoint = `
import { createRequire, syncBuiltinESMExports } from 'node:module'
const fs = createRequire(import.meta.url)('node:fs/promises')
const { rename } = fs
let count = 0
fs.rename = (from, to) => {
  if (String(to).endsWith('state.safetensors') && ++count === 4) process.kill(process.pid, 'SIGKILL')
  return rename(from, to)
}
syncBuiltinESMExports()
`

const edit = (file: string, change: (text: string) => string) =>
  writeFile(scratch(file), change(readFileSync(scratch(file), 'utf8')))
const cut = (file: string, bytes: number) => truncateSync(scratch(file), bytes)
const flip = (file: string) => {
  const bytes = readFileSync(scratch(file))
  bytes[bytes.length - 100]! ^= 1
  writeFileSync(scratch(file), bytes)
}
const lastRowOff = (text: string) => `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`
const digitChanged = (text: string) =>
  text.replace(/(?<=^2,0\.\d*)\d(?=,)/m, (digit) => String(9 - Number(digit)))

type Change = (folder: string) => unknown

/** What was changed, the file that is named, and whether the cheap look at a run finds it. */
const changes: Readonly<Record<string, readonly [file: string, change: Change, cheap: boolean]>> = {
  'a cut model': ['model.safetensors', (f) => cut(`${f}/model.safetensors`, 3000), true],
  'a model with a flipped bit': ['model.safetensors', (f) => flip(`${f}/model.safetensors`), false],
  'a missing model': ['model.safetensors', (f) => rm(scratch(f, 'model.safetensors')), true],
  "another seed's model": [
    'model.safetensors',
    (f) => copy('whole/seed-1/model.safetensors', `${f}/model.safetensors`),
    false,
  ],
  "another seed's checkpoint": [
    checkpoint,
    (f) => copy(`whole/seed-1/${checkpoint}`, `${f}/${checkpoint}`),
    false,
  ],
  'a cut checkpoint': [checkpoint, (f) => cut(`${f}/${checkpoint}`, 3000), true],
  'a checkpoint with a flipped bit': [checkpoint, (f) => flip(`${f}/${checkpoint}`), false],
  'two of three rows': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, lastRowOff), true],
  'a changed row': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, digitChanged), true],
  'one row too many': ['metrics.csv', (f) => appendFile(scratch(f, 'metrics.csv'), '4,0.1\n'), true],
  'a cut spectrum': ['spectrum.csv', (f) => cut(`${f}/spectrum.csv`, 100), true],
  'a missing timings.csv': ['timings.csv', (f) => rm(scratch(f, 'timings.csv')), true],
  'another noise in config.json': [
    'config.json',
    (f) => edit(`${f}/config.json`, (text) => text.replace('"noise": 0.2', '"noise": 0.3')),
    true,
  ],
  'a config.json that is no JSON': ['config.json', (f) => cut(`${f}/config.json`, 40), true],
  'a missing evaluation.json': ['evaluation.json', (f) => rm(scratch(f, 'evaluation.json')), true],
  'a changed evaluation.json': [
    'evaluation.json',
    (f) =>
      edit(`${f}/evaluation.json`, (text) =>
        text.replace('"linear_probe_accuracy": 0', '"linear_probe_accuracy": 1'),
      ),
    true,
  ],
  'another host in run.json': [
    'run.json',
    (f) => edit(`${f}/run.json`, (text) => text.replace(/"host": ".*"/, '"host": "elsewhere"')),
    true,
  ],
  'a cut run.json': ['run.json', (f) => cut(`${f}/run.json`, 300), true],
  "another seed's run.json": ['run.json', (f) => copy('whole/seed-1/run.json', `${f}/run.json`), true],
}
const cases = Object.entries(changes).map(([name, [file, change, cheap]], index) => {
  return { name, file, change, cheap, folder: `changed/${index}/seed-0` }
})

/** What verify prints of runs, by their folders. */
async function verified(folder: string): Promise<ReadonlyMap<string, { state: string; damage: Damage[] }>> {
  const runs: { folder: string; state: string; damage: Damage[] }[] = JSON.parse(
    (await run('verify', folder, '--json')).stdout,
  )
  return new Map(runs.map((each) => [each.folder, each]))
}

describe('a completed run with', () => {
  const siblingOf = (folder: string) => folder.replace('seed-0', 'seed-1')
  const armOf = (folder: string) => folder.replace('/seed-0', '')

  beforeAll(async () => {
    for (const { folder, change } of cases) {
      await copy('whole/seed-0', folder)
      await copy('whole/seed-1', siblingOf(folder))
      await change(folder)
    }
  })

  it('any of these changes is found by verify, which names the file', async () => {
    const found = await verified('changed')
    for (const { name, folder, file } of cases) {
      expect(found.get(folder)!.state, name).toBe('damaged')
      expect(found.get(siblingOf(folder))!.state, name).toBe('ok')
      // Of a run.json and a config.json that contradict each other, either may be the one that was changed.
      const named = found.get(folder)!.damage.map((each) => each.file)
      expect(named, name).toContain(name.includes("seed's run.json") ? 'config.json' : file)
    }
  })

  it('any of these changes is left out by compare and listed by runs, model and checkpoint apart', async () => {
    const cheap = cases.filter((each) => each.cheap)
    const { stdout, stderr } = await run('compare', ...cheap.map(({ folder }) => armOf(folder)), '--json')
    for (const { name, folder } of cheap)
      expect(stderr, name).toContain(`warning: left out of ${armOf(folder)}: ${folder}`)
    const counts = JSON.parse(stdout).rows.map((row: { n: number }) => row.n)
    expect(new Set(counts)).toEqual(new Set([1]))
    const listed: { folder: string; status: string }[] = JSON.parse(
      (await run('runs', 'changed', '--json')).stdout,
    )
    for (const { name, folder } of cheap)
      expect(listed.find((each) => each.folder === folder)?.status ?? 'damaged', name).toBe('damaged')
  })

  it.each(cases.filter(({ file }) => ['model.safetensors', 'config.json', 'metrics.csv'].includes(file)))(
    '$name is refused by eval',
    async ({ folder }) => {
      const { code, stdout, stderr } = await run('eval', folder, '--images', '10')
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toContain('--resume')
      expect(stderr).not.toContain('--overwrite')
    },
  )

  it.each(cases)('$name is remade by --resume', async ({ folder }) => {
    const { stderr, code } = await resume(folder)
    expect(stderr).toMatch(/warning: .*; training again (after epoch 3|from the beginning)/)
    expect(code).toBe(0)
    await expectSameRuns(['.'], scratch(folder), scratch('whole/seed-0'))
  })

  it('any of these changes verifies once it is remade', async () => {
    const states = [...(await verified('changed')).values()].map(({ state }) => state)
    expect(new Set(states)).toEqual(new Set(['ok']))
  })
})

describe('an interrupted run with', () => {
  const stopped: Readonly<Record<string, readonly [file: string, change: Change, from: string]>> = {
    'a changed row': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, digitChanged), 'from the beginning'],
    'a table behind its checkpoint': [
      'metrics.csv',
      (f) => edit(`${f}/metrics.csv`, (text) => lastRowOff(lastRowOff(text))),
      'from the beginning',
    ],
    'a missing table': ['spectrum.csv', (f) => rm(scratch(f, 'spectrum.csv')), 'from the beginning'],
    "another seed's checkpoint": [
      checkpoint,
      (f) => copy(`stopped-1/${checkpoint}`, `${f}/${checkpoint}`),
      'from the beginning',
    ],
    'a checkpoint with a flipped bit': [checkpoint, (f) => flip(`${f}/${checkpoint}`), 'from the beginning'],
    'a cut checkpoint': [checkpoint, (f) => cut(`${f}/${checkpoint}`, 3000), 'from the beginning'],
    'a missing checkpoint': [checkpoint, (f) => rm(scratch(f, checkpoint)), 'from the beginning'],
    'an empty run.json': ['run.json', (f) => cut(`${f}/run.json`, 0), 'after epoch 2'],
    'another noise in config.json': [
      'config.json',
      (f) => edit(`${f}/config.json`, (text) => text.replace('"noise": 0.2', '"noise": 0.3')),
      'after epoch 2',
    ],
  }
  const all = Object.entries(stopped).map(([name, [file, change, from]], index) => {
    return { name, file, change, from, folder: `interrupted/${index}` }
  })

  beforeAll(async () => {
    for (const { folder, change } of all) {
      await copy('stopped', folder)
      await change(folder)
    }
  })

  it('any of these changes is found by verify, which names the file', async () => {
    const found = await verified('interrupted')
    for (const { name, folder, file } of all) {
      expect(found.get(folder)!.state, name).toBe('damaged')
      expect(found.get(folder)!.damage[0]!.file, name).toBe(file)
    }
  })

  it.each(all)('$name is remade by --resume with the same bytes', async ({ folder, file, from }) => {
    const { code, stderr } = await resume(folder)
    expect(stderr).toContain(`${file} `)
    expect(stderr).toContain(`training again ${from}`)
    expect(code).toBe(0)
    await expectSameRuns(['.'], scratch(folder), scratch('whole/seed-0'))
  })

  it('rows after its checkpoint shows and keeps none of them', async () => {
    await copy('stopped', 'more-rows')
    await appendFile(scratch('more-rows/metrics.csv'), '4,0,0,0,0,0,0,0,0\n')
    const verified = await run('verify', 'more-rows')
    expect(verified.stdout).toMatch(/^more-rows +incomplete +/)
    expect(verified.stderr).toContain('more-rows: metrics.csv')
    expect((await run('runs', 'more-rows')).stdout).toMatch(/interrupted +2\/3/)
    const { stderr } = await resume('more-rows')
    expect(stderr).toContain('resuming after epoch 2')
    expect(stderr).not.toContain('warning')
    await expectSameRuns(['.'], scratch('more-rows'), scratch('whole/seed-0'))
  })
})

describe('a run', () => {
  it('of another config is refused still, and so is a config.json that was changed to fit', async () => {
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

  it('without checksums is read as before, and verify reports that', async () => {
    await copy('whole/seed-0', 'old')
    const { sha256: _, configSha256: __, files: ___, ...record } = readJson(scratch('old/run.json'))
    writeJson(scratch('old/run.json'), record)
    const { stdout, code } = await run('verify', 'old')
    expect(stdout).toMatch(/^old +no checksums +made by eigenae \d/)
    expect(code).toBe(0)
    expect((await resume('old')).stderr).toContain('already complete')
    cut('old/model.safetensors', 3000)
    expect((await run('verify', 'old')).stdout).toMatch(/^old +damaged +model.safetensors /)
    expect((await resume('old')).stderr).toContain('training again after epoch 3')
    await expectSameRuns(['.'], scratch('old'), scratch('whole/seed-0'))
  })

  it('that is damaged is listed as such, and left out of its picture', async () => {
    for (const seed of [0, 1]) await copy(`whole/seed-${seed}`, `listed/seed-${seed}`)
    await edit('listed/seed-1/metrics.csv', digitChanged)
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

  it('verifies as a tree, as JSON', async () => {
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
  /** The header of a model with its tensors' places changed. */
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
      'its tensors overlap or leave gaps',
    ],
    [
      'no-sum',
      (header: Record<string, { sha256?: string }>) => {
        delete header.__metadata__!.sha256
      },
      'lacks the checksum',
    ],
  ])('with %s are refused', async (name, change, message) => {
    await copy('whole/seed-0', name)
    const { sha256: _, configSha256: __, files: ___, ...record } = readJson(scratch(name, 'run.json'))
    writeJson(scratch(name, 'run.json'), record)
    withOffsets('whole/seed-0/model.safetensors', `${name}/model.safetensors`, change as never)
    const { stderr, code } = await run('eval', name, '--images', '10')
    expect(stderr).toContain(message)
    expect(code).toBe(1)
  })
})

describe('a sweep', () => {
  it('with damaged runs and a damaged sweep.json remakes those with --resume, and no other', async () => {
    writeJson(scratch('sweep.json'), { name: 'swept', variants: { none: 'none.json' }, seeds: [0, 1, 2, 3] })
    const sweep = (...args: readonly string[]) => run('sweep', '--config', 'sweep.json', ...args)
    expect((await sweep()).code).toBe(0)
    await copy('runs/swept', 'swept-whole')
    const folder = (seed: number) => `runs/swept/none/seed-${seed}`
    cut(`${folder(0)}/config.json`, 30)
    cut(`${folder(1)}/run.json`, 30)
    cut(`${folder(2)}/model.safetensors`, 30)
    cut('runs/swept/sweep.json', 30)
    const before = await readFile(scratch(folder(3), 'run.json'))
    const { stdout, code: verifyCode } = await run('verify', 'runs/swept')
    expect(stdout).toMatch(/^runs\/swept +damaged +sweep.json .*$/m)
    expect(verifyCode).toBe(1)
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

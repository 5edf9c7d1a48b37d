import { appendFile, rm } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Damage } from '../src/runs/integrity.js'
import { checkpoint, damagedRuns, withChangedDigit, withoutLastRow } from './support/damaged-runs.js'
import { expectSameRuns } from './support/sweeps.js'

const { copy, edit, flipBit, resume, run, scratch, truncate } = damagedRuns()

type Change = (folder: string) => unknown

/** Changes by name, with the damaged file and whether the cheap check of `inspectRun` detects it. */
const changes: Readonly<Record<string, readonly [file: string, change: Change, cheap: boolean]>> = {
  'a cut model': ['model.safetensors', (f) => truncate(`${f}/model.safetensors`, 3000), true],
  'a model with a flipped bit': ['model.safetensors', (f) => flipBit(`${f}/model.safetensors`), false],
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
  'a cut checkpoint': [checkpoint, (f) => truncate(`${f}/${checkpoint}`, 3000), true],
  'a checkpoint with a flipped bit': [checkpoint, (f) => flipBit(`${f}/${checkpoint}`), false],
  'two of three rows': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, withoutLastRow), true],
  'a changed row': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, withChangedDigit), true],
  'one row too many': ['metrics.csv', (f) => appendFile(scratch(f, 'metrics.csv'), '4,0.1\n'), true],
  'a cut spectrum': ['spectrum.csv', (f) => truncate(`${f}/spectrum.csv`, 100), true],
  'a missing timings.csv': ['timings.csv', (f) => rm(scratch(f, 'timings.csv')), true],
  'another noise in config.json': [
    'config.json',
    (f) => edit(`${f}/config.json`, (text) => text.replace('"noise": 0.2', '"noise": 0.3')),
    true,
  ],
  'a config.json that is no JSON': ['config.json', (f) => truncate(`${f}/config.json`, 40), true],
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
  'a cut run.json': ['run.json', (f) => truncate(`${f}/run.json`, 300), true],
  "another seed's run.json": ['run.json', (f) => copy('whole/seed-1/run.json', `${f}/run.json`), true],
}
const cases = Object.entries(changes).map(([name, [file, change, cheap]], index) => {
  return { name, file, change, cheap, folder: `changed/${index}/seed-0` }
})

/** Returns the output of verify by the folders of the runs. */
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
      // If run.json and config.json contradict each other, either may be the changed one.
      const named = found.get(folder)!.damage.map((each) => each.file)
      expect(named, name).toContain(name.includes("seed's run.json") ? 'config.json' : file)
    }
  })

  it('any of these changes is left out by compare and listed by runs, unless it needs a read of every byte', async () => {
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

  it('any of these changes verifies after it was remade', async () => {
    const states = [...(await verified('changed')).values()].map(({ state }) => state)
    expect(new Set(states)).toEqual(new Set(['ok']))
  })
})

describe('an interrupted run with', () => {
  const stopped: Readonly<Record<string, readonly [file: string, change: Change, from: string]>> = {
    'a changed row': ['metrics.csv', (f) => edit(`${f}/metrics.csv`, withChangedDigit), 'from the beginning'],
    'a table behind its checkpoint': [
      'metrics.csv',
      (f) => edit(`${f}/metrics.csv`, (text) => withoutLastRow(withoutLastRow(text))),
      'from the beginning',
    ],
    'a missing table': ['spectrum.csv', (f) => rm(scratch(f, 'spectrum.csv')), 'from the beginning'],
    "another seed's checkpoint": [
      checkpoint,
      (f) => copy(`stopped-1/${checkpoint}`, `${f}/${checkpoint}`),
      'from the beginning',
    ],
    'a checkpoint with a flipped bit': [
      checkpoint,
      (f) => flipBit(`${f}/${checkpoint}`),
      'from the beginning',
    ],
    'a cut checkpoint': [checkpoint, (f) => truncate(`${f}/${checkpoint}`, 3000), 'from the beginning'],
    'a missing checkpoint': [checkpoint, (f) => rm(scratch(f, checkpoint)), 'from the beginning'],
    'an empty run.json': ['run.json', (f) => truncate(`${f}/run.json`, 0), 'after epoch 2'],
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

  it('rows after its checkpoint ignores them and drops them on resume', async () => {
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

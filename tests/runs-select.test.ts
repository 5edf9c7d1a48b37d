import { mkdirSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { findRuns } from '../src/runs/find.js'
import { parseExpression, selectRuns } from '../src/runs/query.js'
import { readRun, readRuns } from '../src/runs/read.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const runs = (...args: readonly string[]) => eigenae(['runs', ...args], { cwd: scratch() })

beforeAll(() => {
  const eigen = { kind: 'top-k', k: 2, weight: 0.5, center: false }
  writeRun(scratch('runs', 'a'), { name: 'a', testMse: 0.03, batchSize: 64, effectiveRank: 3, probe: 0.7 })
  writeRun(scratch('runs', 'b'), { name: 'b', testMse: 0.02, batchSize: 128, effectiveRank: 3.5, seed: 7 })
  writeRun(scratch('runs', 'c'), { name: 'c', testMse: 0.04, batchSize: 256, eigen, neighbours: null })
  writeRun(scratch('runs', 'd'), { name: 'd', testMse: 0.01, batchSize: 64, status: 'interrupted' })
})

/** The names of the listed runs in their order. */
async function namesOf(...args: readonly string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await runs(...args, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout).map(({ name }: { name: string }) => name)
}

const where = (...conditions: readonly string[]) => conditions.flatMap((each) => ['--where', each])

describe('eigenae runs --where', () => {
  it.each([
    [['train.batchSize<128'], 'ad'],
    [['train.batchSize <= 128'], 'abd'],
    [['train.batchSize>64'], 'bc'],
    [['train.batchSize>=1.28e2'], 'bc'],
    [['train.batchSize=64'], 'ad'],
    [['train.batchSize!=64'], 'bc'],
    [['test_mse<.025'], 'bd'],
    [['linear_probe_accuracy=0.7'], 'a'],
    [['effective_rank>3'], 'b'],
    [['name=b'], 'b'],
    [['name="b"'], 'b'],
    [['seed=7'], 'b'],
    [['status=completed'], 'abc'],
    [['status!=completed'], 'd'],
    [['device=cpu'], 'abcd'],
    [['epoch=3'], 'abcd'],
    [['loss.eigen=null'], 'abd'],
    [['loss.eigen.kind=top-k'], 'c'],
    [['loss.eigen.weight<1'], 'c'],
    [['loss.eigen.weight=null'], 'abd'],
    [['spectrum.center=false'], 'abcd'],
    [['model.widths=[784,32,4]'], 'abcd'],
    [['model.widths.1=32'], 'abcd'],
    [['neighbour_accuracy=null'], 'cd'],
    [['train.batchSize=64', 'status=completed'], 'a'],
    [['train.batchSize<64'], ''],
  ])('lists the runs for which all of %j hold', async (conditions, names) => {
    const found = await readRuns((await findRuns(scratch('runs'))).runs, readRun)
    const selected = selectRuns(found, {
      where: conditions.map(parseExpression),
      sort: undefined,
      top: undefined,
    })
    expect(selected.map(({ record }) => record.name)).toEqual([...names])
  })

  it('is repeatable', async () => {
    expect(await namesOf(...where('train.batchSize=64', 'status=completed'))).toEqual(['a'])
    expect(await namesOf(...where('train.batchSize=64'))).toEqual(['a', 'd'])
  })

  it.each([
    ['optimizer.learningRate<', 24, 'expected a number'],
    ['optimizer.learningRate<fast', 24, 'expected a number after <'],
    ['optimizer.learningRate', 23, 'expected one of != <= >= = < >'],
    ['=3', 1, 'expected the name of a metric'],
    ['seed==3', 6, 'expected a value'],
    ['seed=3 and name=a', 8, 'expected the end'],
    ['  statas=completed', 3, 'unknown name "statas"'],
    ['learningRate<1', 1, 'unknown name "learningRate"'],
    ['status=complete', 8, 'status is one of running, completed, interrupted, failed, damaged'],
    ['name<3', 5, 'name is text; use = or !='],
    ['data.source<3', 12, 'data.source is not a number in these runs; use = or !='],
    ['test_mse=low', 10, 'test_mse is a number'],
  ])('refuses "%s" with the place of the mistake, character %i', async (text, character, problem) => {
    const found = await readRuns((await findRuns(scratch('runs'))).runs, readRun)
    const refused = () =>
      selectRuns(found, { where: [parseExpression(text)], sort: undefined, top: undefined })
    const caret = `${' '.repeat(character + 1)}^`
    expect(refused).toThrow(`--where: ${problem}`)
    expect(refused).toThrow(`, at character ${character}\n  ${text}\n${caret}`)
  })

  it('shows a caret below the mistake, and exits with code 2', async () => {
    const { code, stdout, stderr } = await runs(...where('optimizer.learningRate<fast'))
    expect(stderr).toBe(
      [
        'eigenae: --where: expected a number after <, at character 24',
        '  optimizer.learningRate<fast',
        '                         ^',
        '',
      ].join('\n'),
    )
    expect([code, stdout]).toEqual([2, ''])
  })

  it('suggests a name for one that is unknown', async () => {
    const hintOf = async (text: string) => (await runs(...where(text))).stderr.trimEnd().split('\n').at(-1)
    expect(await hintOf('learningRate<1')).toBe('Did you mean optimizer.learningRate?')
    expect(await hintOf('lr<1')).toBe('Did you mean optimizer.learningRate?')
    expect(await hintOf('test_mes<1')).toBe('Did you mean test_mse?')
    expect(await hintOf('nothing.like.this<1')).toContain('config paths such as train.batchSize')
  })

  it('has one message for an empty selection and another for an empty folder', async () => {
    expect((await runs(...where('seed=99'))).stderr).toBe('none of the 4 runs in runs matches\n')
    mkdirSync(scratch('empty'))
    expect((await runs('empty', ...where('seed=99'))).stderr).toBe('no runs in empty\n')
  })

  it('takes config fields that only runs of another version have', async () => {
    writeRun(scratch('later'))
    const config = {
      name: 'x',
      data: {},
      train: {},
      spectrum: {},
      model: { widths: [784, 4] },
      loss: { eigen: null },
    }
    writeFileSync(scratch('later', 'config.json'), JSON.stringify({ ...config, dream: { depth: 3 } }))
    sealRun(scratch('later'))
    expect(await namesOf('later', ...where('dream.depth=3'))).toEqual(['fake'])
  })

  it('shows damaged runs by their status, whatever the condition on the others warns of them', async () => {
    writeRun(scratch('damaged', 'a'))
    writeFileSync(scratch('damaged', 'a', 'config.json'), '{')
    const { code, stdout, stderr } = await runs('damaged', ...where('status=damaged'))
    expect(stdout).toContain('damaged')
    expect(stderr).toContain('warning: damaged/a: config.json')
    expect(code).toBe(0)
    expect((await runs('damaged', ...where('train.batchSize=64'))).stderr).toContain(
      'warning: damaged/a: config.json',
    )
  })
})

describe('eigenae runs --sort', () => {
  it('sorts by a metric, a config path or a fact, and in reverse with a dash', async () => {
    expect(await namesOf('--sort', 'test_mse')).toEqual(['d', 'b', 'a', 'c'])
    expect(await namesOf('--sort', '-test_mse')).toEqual(['c', 'a', 'b', 'd'])
    expect(await namesOf('--sort=-train.batchSize')).toEqual(['c', 'b', 'a', 'd'])
    expect(await namesOf('--sort', '-name')).toEqual(['d', 'c', 'b', 'a'])
  })

  it('puts runs without the value last, in both directions', async () => {
    expect(await namesOf('--sort', 'neighbour_accuracy')).toEqual(['a', 'b', 'c', 'd'])
    expect(await namesOf('--sort', '-neighbour_accuracy')).toEqual(['a', 'b', 'c', 'd'])
    expect(await namesOf('--sort', '-loss.eigen.weight')).toEqual(['c', 'a', 'b', 'd'])
  })

  it('lists the first with --top', async () => {
    expect(await namesOf('--sort', 'test_mse', '--top', '2')).toEqual(['d', 'b'])
    expect((await runs('--top', '0')).stderr).toBe(
      'eigenae: --top: must be a whole number from 1 (got "0")\n',
    )
  })

  it('refuses an unknown name', async () => {
    const { code, stderr } = await runs('--sort', '-tset_mse')
    expect(stderr).toBe('eigenae: --sort: unknown name "tset_mse"\nDid you mean test_mse?\n')
    expect(code).toBe(2)
  })
})

describe('eigenae runs --columns', () => {
  it('adds columns to the table, with the sorted one, each once', async () => {
    const columns = 'train.batchSize,loss.eigen.weight,test_mse,linear_probe_accuracy'
    const { stdout } = await runs('--sort', 'linear_probe_accuracy', '--columns', columns)
    const [header, first, ...others] = stdout.trimEnd().split('\n')
    expect(header!.split(/ {2,}/).slice(6)).toEqual([
      ...['test MSE', 'effective rank', 'linear_probe_accuracy', 'train.batchSize', 'loss.eigen.weight'],
    ])
    expect(first).toMatch(/^a +.* 70\.00 % +64 +–$/)
    expect(others.at(-1)).toMatch(/^d +.* – +64 +–$/)
  })

  it('adds them to the JSON', async () => {
    const { stdout } = await runs('--columns', 'model.widths', '--columns', 'loss.eigen.weight', '--json')
    expect(JSON.parse(stdout)[2]).toMatchObject({ 'model.widths': [784, 32, 4], 'loss.eigen.weight': 0.5 })
    expect(JSON.parse(stdout)[0]['loss.eigen.weight']).toBe(null)
  })

  it('refuses an unknown and an empty name', async () => {
    expect((await runs('--columns', 'batchSize')).stderr).toBe(
      'eigenae: --columns: unknown name "batchSize"\nDid you mean train.batchSize?\n',
    )
    expect((await runs('--columns', 'seed,')).stderr).toBe(
      'eigenae: --columns: has an empty name (got "seed,")\n',
    )
  })
})

describe('eigenae runs --csv', () => {
  it('prints all digits, empty cells for missing values, and nothing that a spreadsheet takes for a formula', async () => {
    writeRun(scratch('csv', '=1+2, "x"'), { testMse: 0.0123456789 })
    writeRun(scratch('csv', 'b'), { status: 'failed' })
    const { code, stdout } = await runs('csv/', '--csv', '--columns', 'model.widths,neighbour_accuracy')
    expect(stdout).toBe(
      [
        'folder,name,seed,status,epoch,epochs,device,test_mse,effective_rank,model.widths,neighbour_accuracy',
        '"csv/=1+2, ""x""",fake,0,completed,3,3,cpu,0.0123456789,3,"[784,32,4]",0.9',
        'csv/b,fake,0,failed,3,3,cpu,0.03,3,"[784,32,4]",',
        '',
      ].join('\n'),
    )
    expect(code).toBe(0)
    writeRun(scratch('=cmd', 'x'))
    expect((await runs('=cmd', '--csv')).stdout.split('\n')[1]).toMatch(/^'=cmd\/x,/)
  })

  it('prints the header alone if no run matches, and excludes --json', async () => {
    expect((await runs('--csv', ...where('seed=99'))).stdout.split('\n').length).toBe(2)
    const { code, stderr } = await runs('--csv', '--json')
    expect(stderr).toContain("option '--csv' cannot be used with option '--json'")
    expect(code).toBe(2)
  })
})

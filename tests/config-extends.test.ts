import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, parseSetting } from '../src/config/load.js'
import { configs, eigenae, scratchFolder } from './support/cli.js'
import { dataFolder } from './support/idx.js'
import { readJson, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const write = (name: string, config: object) => writeJson(scratch(name), config)

async function refusal(file: string, ...settings: readonly string[]): Promise<string> {
  return loadConfig(file, settings.map(parseSetting)).then(
    () => 'the config was taken',
    (error: Error) => error.message,
  )
}

describe('a config that extends another', () => {
  const base = write('baseline.json', {
    $schema: './schema.json',
    name: 'baseline',
    data: { noise: 0.3, limit: 500 },
    model: { widths: [784, 9, 3] },
    train: { epochs: 4 },
  })

  it('has the fields of the other file, except those that it sets itself', async () => {
    const file = write('more.json', { extends: 'baseline.json', name: 'more', data: { noise: 0.5 } })
    expect(await loadConfig(file)).toEqual({
      ...(await loadConfig(base)),
      name: 'more',
      data: { ...(await loadConfig(base)).data, noise: 0.5 },
    })
  })

  it('replaces lists, and objects by null and null by objects, as a whole', async () => {
    write('lost.json', {
      extends: 'baseline.json',
      name: 'lost',
      loss: { eigen: { k: 1 } },
      model: { widths: [784, 8, 4] },
    })
    const nothing = write('nothing.json', { extends: 'lost.json', name: 'nothing', loss: { eigen: null } })
    const config = await loadConfig(nothing)
    expect([config.loss.eigen, config.model.widths]).toEqual([null, [784, 8, 4]])
    expect((await loadConfig(scratch('lost.json'))).loss.eigen).toMatchObject({ kind: 'top-k', k: 1 })
  })

  it('can change the kind of an eigen loss, and keeps the fields that both kinds have', async () => {
    const eigen = { kind: 'log-max' }
    const file = write('kind.json', { extends: join(configs, 'eigen.json'), name: 'kind', loss: { eigen } })
    const overridden = await loadConfig(join(configs, 'eigen.json'), [
      parseSetting('loss.eigen.kind=log-max'),
    ])
    expect((await loadConfig(file)).loss.eigen).toEqual(overridden.loss.eigen)
    expect(overridden.loss.eigen).not.toHaveProperty('k')
  })

  it('finds the other file beside itself, at any depth, whatever the working folder', async () => {
    write('deep/middle.json', { extends: '../baseline.json', name: 'middle', train: { batchSize: 32 } })
    const file = write('deep/down/leaf.json', { extends: '../middle.json', name: 'leaf', seed: 3 })
    const { data, train, seed } = await loadConfig(file)
    expect([data.limit, train, seed]).toEqual([500, { epochs: 4, batchSize: 32 }, 3])
  })

  it('is overridden by settings like any other', async () => {
    const file = write('set.json', { extends: 'baseline.json', name: 'set' })
    expect((await loadConfig(file, [parseSetting('data.noise=0.9')])).data.noise).toBe(0.9)
  })

  it('needs a name of its own', async () => {
    const file = write('unnamed.json', { extends: 'baseline.json' })
    expect(await refusal(file)).toContain('\n  1:1 name: is missing')
  })

  it('is written complete into config.json, which trains the same run again', async () => {
    dataFolder(scratch('data'))
    const data = { source: scratch('data'), limit: null }
    const train = { epochs: 1, batchSize: 50 }
    const file = write('trained.json', { extends: 'baseline.json', name: 'trained', data, train })
    const out = scratch('trained')
    expect((await eigenae(['train', '--config', file, '--out', out, '--quiet'])).code).toBe(0)
    const saved = readJson(join(out, 'config.json'))
    expect(saved).not.toHaveProperty('extends')
    expect(await loadConfig(join(out, 'config.json'))).toEqual(await loadConfig(file))
  })

  it('can be a variant of a sweep', async () => {
    write('variant.json', { extends: 'baseline.json', name: 'variant', seed: 1 })
    const sweep = write('sweep.json', { name: 'swept', variants: { more: 'variant.json' } })
    const { code, stdout } = await eigenae(['sweep', '--config', sweep, '--dry-run'], { cwd: scratch() })
    expect([code, stdout]).toEqual([0, expect.stringContaining('more/seed-0')])
  })
})

describe('a mistake in a config that extends another', () => {
  it('is reported with its place in the file that makes it', async () => {
    write('wrong/base.json', { name: 'base', data: { nois: 1 }, train: { epochs: 0 } })
    write('wrong/middle.json', { extends: 'base.json', name: 'middle', seed: -1 })
    const file = write('wrong/own.json', { extends: 'middle.json', name: 'own', optimizer: { beta1: 2 } })
    expect((await refusal(file)).split('\n')).toEqual([
      `${file}: this config cannot be used`,
      `  ${scratch('wrong/middle.json')}:1:40 seed: must be at least 0 (got -1)`,
      `  ${scratch('wrong/base.json')}:1:24 data.nois: unknown key; did you mean "noise"?`,
      '  1:52 optimizer.beta1: must be under 1 (got 2)',
      `  ${scratch('wrong/base.json')}:1:43 train.epochs: must be at least 1 (got 0)`,
    ])
  })

  it('is a file that does not exist', async () => {
    const file = write('missing.json', { extends: 'nowhere.json', name: 'missing' })
    expect(await refusal(file)).toBe(
      [
        `${file}: this config cannot be used`,
        `  1:2 extends: ${scratch('nowhere.json')}: cannot read the config: does not exist`,
        'Check the path.',
      ].join('\n'),
    )
  })

  it('is a file that is missing further down, named in the file that extends it', async () => {
    const middle = write('middle.json', { extends: 'nowhere.json', name: 'middle' })
    const file = write('far.json', { extends: 'middle.json', name: 'far' })
    expect(await refusal(file)).toContain(`${middle}: this config cannot be used\n  1:2 extends: `)
  })

  it('is a cycle, in the file that closes it', async () => {
    write('cycle/a.json', { extends: 'b.json', name: 'a' })
    write('cycle/b.json', { extends: '../cycle/a.json', name: 'b' })
    const message = await refusal(scratch('cycle/a.json'))
    const [a, b] = [scratch('cycle/a.json'), scratch('cycle/b.json')]
    expect(message).toBe(`${b}: this config cannot be used\n  1:2 extends: is a cycle: ${a} → ${b} → ${a}`)
    const own = write('self.json', { extends: 'self.json', name: 'self' })
    expect(await refusal(own)).toContain(`is a cycle: ${own} → ${own}`)
  })

  it.each([[3], [''], [['baseline.json']], [null]])('is extends: %j', async (named) => {
    const file = write('mistyped.json', { name: 'x', extends: named })
    expect(await refusal(file)).toContain(
      `1:13 extends: must be the path of a config file (got ${JSON.stringify(named)})`,
    )
  })

  it('is a setting of extends, on the command line or in the grid of a sweep', async () => {
    const file = write('plain.json', { name: 'plain' })
    expect(await refusal(file, 'extends=baseline.json')).toContain('--set extends: unknown key')
    const grid = { extends: ['baseline.json'] }
    const sweep = write('gridded.json', { name: 'gridded', variants: { plain: 'plain.json' }, grid })
    const { code, stderr } = await eigenae(['sweep', '--config', sweep, '--dry-run'], { cwd: scratch() })
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('grid.extends: cannot be in the grid: only a config file extends another'),
    ])
  })
})

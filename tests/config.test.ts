import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eigenLossKinds } from '../src/config/eigen-loss-kinds.js'
import { loadConfig, parseSetting } from '../src/config/load.js'
import { jsonSchema } from '../src/config/schema.js'
import { EigenaeError } from '../src/errors.js'
import { configs, eigenae, scratchFolder } from './support/cli.js'

const scratch = scratchFolder()
/** The kinds as an error lists them: '"top-k" or "log-max"'. */
const kinds = [...Object.keys(eigenLossKinds), 'formula'].map((kind) => `"${kind}"`).join(' or ')

async function refusal(text: string, ...settings: readonly string[]): Promise<string> {
  const file = scratch('config.json')
  await writeFile(file, text)
  try {
    await loadConfig(file, settings.map(parseSetting))
  } catch (error) {
    if (error instanceof EigenaeError && error.exit === 2) return error.message
    throw error
  }
  throw new Error('the config was taken')
}

describe('a config', () => {
  it('needs only a name', async () => {
    const file = scratch('named.json')
    await writeFile(file, '{ "name": "plain" }')
    expect(await loadConfig(file)).toEqual({
      name: 'plain',
      seed: 0,
      data: { source: 'mnist', noise: 0.2, limit: null, validation: 0 },
      model: { widths: [784, 128, 64, 12, 10], batchNorm: 'none', activation: 'relu', init: 'he-uniform' },
      loss: { eigen: null },
      optimizer: {
        kind: 'adam',
        learningRate: 0.005,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        warmup: 0,
        averaging: null,
      },
      train: { epochs: 10, batchSize: 64 },
      spectrum: { split: 'test', images: 1024, center: false },
      device: 'auto',
    })
  })

  it('fills in the defaults of an eigen loss', async () => {
    const file = scratch('eigen.json')
    await writeFile(file, '{ "name": "e", "loss": { "eigen": {} } }')
    expect((await loadConfig(file)).loss.eigen).toEqual({
      kind: 'top-k',
      k: 2,
      weight: 1,
      layers: 'latent',
      center: false,
    })
  })

  it('is overridden by settings, later ones winning, and missing objects are created', async () => {
    const settings = [
      'loss.eigen.kind=log-max',
      'loss.eigen.weight=0.5',
      'loss.eigen.weight=0.25',
      'model.widths=[784,9,3]',
    ]
    const config = await loadConfig(join(configs, 'baseline.json'), settings.map(parseSetting))
    expect(config.loss.eigen).toEqual({ kind: 'log-max', weight: 0.25, layers: 'latent', center: false })
    expect(config.model.widths).toEqual([784, 9, 3])
  })

  it('can change the kind of its eigen loss and keep the other fields', async () => {
    const config = await loadConfig(join(configs, 'eigen.json'), [parseSetting('loss.eigen.kind=log-max')])
    expect(config.loss.eigen).toEqual({ kind: 'log-max', weight: 1, layers: 'latent', center: false })
    const own = ['loss.eigen.k=1', 'loss.eigen.kind=log-max']
    expect(await refusal(await readFile(join(configs, 'eigen.json'), 'utf8'), ...own)).toContain(
      '--set loss.eigen.k: is not a field of the kind "log-max"',
    )
  })

  it('is refused with far too many layers', async () => {
    const widths = JSON.stringify([784, ...Array<number>(200_000).fill(9)])
    expect(await refusal(`{ "name": "x", "model": { "widths": ${widths} } }`)).toContain(
      'model.widths: must be a list of at most 256 (got [784,9,9,',
    )
  })

  it('can have an encoder of one layer', async () => {
    const config = await loadConfig(join(configs, 'eigen.json'), [parseSetting('model.widths=[784,10]')])
    expect(config.model.widths).toEqual([784, 10])
  })

  it.each([
    ['{ "name": "x",\n  "seed": NaN }', '2:11 invalid symbol'],
    ['{ "name": "x",\n  "seed": 1, }', '2:14 property name expected'],
    ['{ "name": "x" // no\n}', '1:15 invalid comment token'],
    ['', '1:1 value expected'],
    ['{ "name": "a",\n "name": "b" }', '2:2 duplicate key "name"'],
  ])('that is broken JSON is refused with line and column: %j', async (text, message) => {
    expect(await refusal(text)).toContain(message)
  })

  it.each([
    ['{ "sede": 1, "name": "x" }', '1:3 sede: unknown key; did you mean "seed"?'],
    ['{ "name": "x", "data": { "nois": 1 } }', '1:26 data.nois: unknown key; did you mean "noise"?'],
    ['{ "name": "x", "loss": { "eigen": { "kk": 2 } } }', 'loss.eigen.kk: unknown key; did you mean "k"?'],
    ['{ "name": "x", "zzzzzzz": 1 }', 'zzzzzzz: unknown key; known here: $schema, name, seed'],
    ['{ "name": "x", "seed": "1" }', '1:16 seed: must be a number (got "1")'],
    ['{ "name": "x", "seed": 1.5 }', 'seed: must be a whole number (got 1.5)'],
    ['{ "name": "x", "seed": 4294967296 }', 'seed: must be at most 4294967295 (got 4294967296)'],
    ['{ "name": "x", "seed": 1e999 }', 'seed: must be a number (got Infinity)'],
    ['{ "name": "x", "train": { "epochs": -1 } }', 'train.epochs: must be at least 1 (got -1)'],
    [
      '{ "name": "x", "train": { "batchSize": 10 }, "loss": { "eigen": {} } }',
      'train.batchSize: must be over 10',
    ],
    ['{ "name": "x", "model": { "widths": [783, 9, 3] } }', 'model.widths: must start with 784'],
    ['{ "name": "x", "model": { "widths": [784] } }', 'model.widths: must be a list of at least 2'],
    [
      '{ "name": "x", "loss": { "eigen": { "kind": "log-max", "k": 2 } } }',
      'loss.eigen.k: is not a field of the kind "log-max", only of "top-k": remove it, or change the kind',
    ],
    [
      '{ "name": "x", "model": { "batchNorm": "some" } }',
      'model.batchNorm: must be "none" or "encoder" or "all"',
    ],
    [
      '{ "name": "x", "loss": { "eigen": { "k": 11 } } }',
      "loss.eigen.k: must be under 10, the latent's width",
    ],
    [
      '{ "name": "x", "loss": { "eigen": { "kind": "max" } } }',
      `loss.eigen.kind: must be ${kinds} (got "max")`,
    ],
    ['{ "name": ".x" }', 'name: may contain letters, digits, dots, dashes and underscores'],
    ['{ "name": "a/b" }', 'name: may contain letters'],
    ['{}', 'name: is missing'],
    ['[]', '(the whole file): must be an object (got [])'],
    ['{ "name": "x", "device": "gpu" }', 'device: must be "auto" or "cpu"'],
  ])('is refused with the path and the reason: %s', async (text, message) => {
    expect(await refusal(text)).toContain(message)
  })

  it('is refused with all its mistakes at once, each with its location or its flag', async () => {
    const text = '{\n  "name": "x",\n  "sed": 1,\n  "data": { "noise": -1 }\n}'
    const message = await refusal(text, 'train.epochs=NaN', 'optimizer.beta1=1')
    expect(message.split('\n').slice(1)).toEqual([
      '  4:13 data.noise: must be at least 0 (got -1)',
      '  --set optimizer.beta1: must be under 1 (got 1)',
      '  --set train.epochs: must be a number (got "NaN")',
      '  3:3 sed: unknown key; did you mean "seed"?',
    ])
  })

  it('is refused for contradictions between fields, beside other mistakes', async () => {
    const eigen = '{ "kind": "top-k", "k": 20 }'
    const text = `{ "name": "x", "sed": 1, "train": { "batchSize": 4 }, "loss": { "eigen": ${eigen} } }`
    const lines = (await refusal(text, 'name.x=1', 'seed=-1')).split('\n').slice(1)
    expect(lines.map((line) => line.slice(2, line.indexOf(': ')).replace(/^1:\d+ /, ''))).toEqual([
      ...['--set name.x', '--set seed', 'sed'],
      ...['train.batchSize', 'loss.eigen.k'],
    ])
    // The rule about the batch size is not checked, because the widths are wrong.
    expect(await refusal(text, 'model.widths=[784,0,2]')).not.toContain('batchSize')
  })

  it('is refused with all mistakes in an eigen loss of a wrong kind, and in widths', async () => {
    const eigen = '{ "kind": "topk", "k": 0, "weight": "1", "centre": false }'
    const text = `{ "name": "x", "loss": { "eigen": ${eigen} }, "model": { "widths": [100, 0, "a"] } }`
    const lines = (await refusal(text)).split('\n').slice(1)
    expect(lines.map((line) => line.replace(/^ +\d+:\d+ /, ''))).toEqual([
      `loss.eigen.kind: must be ${kinds} (got "topk")`,
      'model.widths.1: must be at least 1 (got 0)',
      'model.widths.2: must be a number (got "a")',
      'model.widths: must start with 784, the pixels of an image (got [100,0,"a"])',
      'loss.eigen.k: must be at least 1 (got 0)',
      'loss.eigen.weight: must be a number, or a schedule like {"from": 0.01, "to": 0.001, "shape": "cosine", "epochs": 10} (got "1")',
      'loss.eigen.centre: unknown key; did you mean "center"?',
    ])
  })

  it('has a field set in an eigen loss or an average only if it has one, or if the kind is set, too', async () => {
    const text = '{ "name": "x" }'
    for (const [field, object] of [
      ['loss.eigen.weight=0.5', 'loss.eigen'],
      ['loss.eigen.0.weight=0.5', 'loss.eigen'],
      ['optimizer.averaging.decay=0.9', 'optimizer.averaging'],
    ] as const)
      expect((await refusal(text, field)).split('\n').slice(1)).toEqual([
        `  --set ${field.split('=')[0]}: the config has no ${object}; set ${object}.kind as well to add one`,
      ])
    const removed = '{ "name": "x", "loss": { "eigen": { "kind": "entropy" } } }'
    expect(await refusal(removed, 'loss.eigen=null', 'loss.eigen.weight=2')).toContain('has no loss.eigen;')
    const settings = ['loss.eigen.weight=0.5', 'loss.eigen.kind=entropy'].map(parseSetting)
    const { loss } = await loadConfig(join(configs, 'baseline.json'), settings)
    expect(loss.eigen).toMatchObject({ kind: 'entropy', weight: 0.5 })
  })

  it.each([
    ['lr', 'optimizer.learningRate'],
    ['learning_rate', 'optimizer.learningRate'],
    ['optimizer.lr', 'learningRate'],
    ['train.lr', 'optimizer.learningRate'],
    ['batchsize', 'train.batchSize'],
    ['bs', 'train.batchSize'],
    ['noise', 'data.noise'],
    ['nosie', 'data.noise'],
    ['loss.weight', 'loss.eigen.weight'],
    ['optimizer.wd', 'optimizer.weightDecay'],
    ['epochs', 'train.epochs'],
  ])('without a field %s is refused with the suggestion %s, wherever that is', async (key, suggestion) => {
    expect(await refusal('{ "name": "x" }', `${key}=1`)).toMatch(
      new RegExp(`--set ${key}: unknown key; did you mean "${suggestion}"\\?`),
    )
  })

  it('names no far-fetched suggestion for a short key', async () => {
    expect(await refusal('{ "name": "x" }', 'a=1')).toContain('unknown key; known here: $schema, name')
  })

  it.each([
    [
      'model.batchNorm=latent',
      'model.batchNorm: must be "none" or "encoder" or "all", or a list of layers like',
    ],
    [
      'model.batchNorm={"a":1}',
      'model.batchNorm: must be "none" or "encoder" or "all", or a list of layers like',
    ],
    ['loss.eigen.layers=latnt', 'must be "latent" or "hidden" or "all", or a list of layers like'],
    ['loss.eigen.layers=["latent",1]', 'loss.eigen.layers.1: must be a string (got 1)'],
    ['model.activation=tanh', 'or "silu", or {"kind": "leaky-relu", "slope": 0.2} (got "tanh")'],
    ['model.activation={"kind":"relu"}', 'or "silu", or {"kind": "leaky-relu", "slope": 0.2} (got {"kind"'],
    ['model.activation={"kind":"leaky-relu","slope":2}', 'model.activation.slope: must be under 1 (got 2)'],
    ['optimizer.averaging=ema', 'must be {"kind": "ema", "decay": 0.998} or null (got "ema")'],
    ['optimizer.learningRate=cosine', 'must be a number, or a schedule like {"from": 0.01,'],
    [
      'optimizer.learningRate.to=0',
      '--set optimizer.learningRate.to: optimizer.learningRate.from: is missing',
    ],
    ['optimizer.momentum=0.9', 'is not a field of the kind "adam", only of "sgd"'],
  ])('with a value of the wrong form is refused with all forms: %s', async (setting, message) => {
    expect(await refusal('{ "name": "x", "loss": { "eigen": {} } }', setting)).toContain(message)
  })

  it('is refused if it is nested too deeply', async () => {
    expect(await refusal('['.repeat(20_000))).toContain('is nested more than 500 levels deep')
  })
})

describe('the configs of the project', () => {
  it.each([
    'baseline.json',
    'eigen.json',
    'log-max.json',
    'kl-normal.json',
    'batch-norm.json',
    'formula.json',
    'eigen-latent-2.json',
    'eigen-latent-4.json',
    'baseline-latent-2.json',
    'baseline-latent-4.json',
  ])('%s is valid and named as its file', async (file) => {
    const config = await loadConfig(join(configs, file))
    expect(`${config.name}.json`).toBe(file)
  })

  it('have a schema.json that matches src/config/schema.ts (npm run generate writes it)', async () => {
    expect(JSON.parse(await readFile(join(configs, 'schema.json'), 'utf8'))).toEqual(jsonSchema())
  })
})

describe('train with a mistake on the command line', () => {
  const eigen = join(configs, 'eigen.json')
  it.each([
    [['train', '--config', 'missing.json'], 'missing.json: cannot read the config: does not exist'],
    [
      ['train', '--config', eigen, '--epochs', '-3'],
      'this config cannot be used\n  --epochs: must be at least 1 (got -3)\n',
    ],
    [['train', '--config', eigen, '--seed', 'x'], '--seed: must be a number (got "x")'],
    [['train', '--config', eigen, '--set', 'train.epochs'], '--set: expected path=value'],
    [
      ['train', '--config', eigen, '--set', 'los.eigen=3'],
      '--set los.eigen: los: unknown key; did you mean "loss"?',
    ],
    [
      ['train', '--config', join(configs, 'baseline.json'), '--set', 'loss.eigen.weight=2'],
      '--set loss.eigen.weight: the config has no loss.eigen; set loss.eigen.kind as well to add one\n',
    ],
    [
      ['train', '--config', eigen, '--set', 'loss.eigen.k=10'],
      'loss.eigen: has no effect on latent (width 10), where top-k with k = 10 is constant\n',
    ],
    [
      ['train', '--config', eigen, '--set', 'loss.eigen={"k": 0}'],
      'this config cannot be used\n  --set loss.eigen.k: must be at least 1 (got 0)\n',
    ],
    [
      ['train', '--config', join(configs, 'kl-silu.json'), '--set', 'loss.eigen.weight=0.1'],
      '--set loss.eigen.weight: loss.eigen is a list of 2; name an element: loss.eigen.0.weight\n',
    ],
    [
      ['train', '--config', join(configs, 'kl-silu.json'), '--set', 'loss.eigen[0].weight=0.1'],
      '--set loss.eigen[0].weight: an element of a list is written after a dot, without brackets\nUse --set loss.eigen.0.weight=…',
    ],
    [['train', '--config', eigen, '--threads', '0'], '--threads: must be a whole number from 1'],
    [['train', '--config', eigen, '--resume', '--overwrite'], 'choose one of --resume and --overwrite'],
    [['train', '--config', eigen, '--epoch', '3'], 'Did you mean --epochs?'],
    [
      ['train', '--config', eigen, '--set', 'data.limit=70000'],
      'data.limit: is 70000, but there are only 60000 images',
    ],
    [['train', '--config', eigen, '--set', 'data.limit=10'], 'data.limit: an eigen loss needs more images'],
    [
      ['train', '--config', eigen, '--set', 'data.source=nowhere'],
      'nowhere/train-images-idx3-ubyte: no such data file',
    ],
    [
      ['train', '--config', join(configs, 'batch-norm.json'), '--set', 'data.limit=129'],
      'train.batchSize: the last batch',
    ],
    [
      ['train', '--config', eigen, '--set', 'model.widths=[784,65536,65536,10]'],
      'model.widths: make 8,694,268,698 parameters; a checkpoint holds',
    ],
    [
      [
        ...['train', '--config', eigen, '--set', 'model.widths=[784,65536,10]'],
        ...['--set', 'train.batchSize=65536', '--threads', '1024'],
      ],
      'model.widths: make 104,203,034 parameters, which need about',
    ],
    [['train'], "required option '--config <file>' not specified"],
    [['trian'], 'Did you mean train?'],
  ])('%j: exit code 2, names the location, writes nothing', async (args, message) => {
    const { code, stderr } = await eigenae(args, { cwd: scratch() })
    expect(stderr).toContain(message)
    expect(code).toBe(2)
    expect(existsSync(scratch('runs'))).toBe(false)
  })

  it('refuses a constant eigen loss that is set over the config of a run', async () => {
    const run = (name: string) => scratch('made', name)
    await mkdir(scratch('made'))
    await writeFile(run('run.json'), '{}')
    await writeFile(run('config.json'), JSON.stringify({ name: 'made', loss: { eigen: {} } }))
    const set = ['--set', 'loss.eigen.k=10', '--set', 'data.source=nowhere']
    const { code, stderr } = await eigenae(['train', '--config', run('config.json'), ...set])
    expect([code, stderr]).toEqual([2, expect.stringContaining('where top-k with k = 10 is constant\n')])
  })

  it('prints the stack only with EIGENAE_DEBUG=1', async () => {
    const args = ['train', '--config', 'missing.json']
    expect((await eigenae(args)).stderr).not.toContain('    at ')
    expect((await eigenae(args, { env: { EIGENAE_DEBUG: '1' } })).stderr).toContain('    at ')
  })

  it.each([
    ['diary.txt', 'mine'],
    ['thesis.tmp', 'mine'],
    ['config.json', '[1, 2]'],
    ['config.json', '{ "name": "of my own making" }'],
  ])('does not touch a folder that holds a %s: %s', async (name, content) => {
    const folder = scratch(content.slice(0, 8), name)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, name), content)
    const refusals = [
      [[], 'this folder exists and is not empty'],
      [['--resume'], 'not an eigenae run'],
      [['--overwrite'], 'not an eigenae run'],
    ] as const
    for (const [flags, message] of refusals) {
      const { code, stderr } = await eigenae(['train', '--config', eigen, '--out', folder, ...flags])
      expect(code).toBe(2)
      expect(stderr).toContain(`${folder}: ${message}`)
      expect(await readdir(folder)).toEqual([name])
    }
  })

  it('fails with exit code 1 on a device without an engine, and uses no other device', async () => {
    const { code, stderr } = await eigenae(['train', '--config', eigen, '--device', 'cuda'], {
      cwd: scratch(),
    })
    expect(code).toBe(1)
    expect(stderr).toContain('device cuda: ')
  })
})

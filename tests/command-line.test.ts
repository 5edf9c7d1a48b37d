import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { call, calledCommands, configs, eigenae, scratchFolder, start } from './support/cli.js'
import { expectSameRuns, readJson, tinyConfigs, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const config = `${configs}/eigen.json`

describe('the command line refuses', () => {
  it.each([
    [['train', '--config', config, '--out', ''], '--out'],
    [['train', '--config', ''], '--config'],
    [['sweep', '--config', ''], '--config'],
    [['export', 'run', '--format', 'onnx', '--out', ''], '--out'],
    [['compare', 'run', '--out', ''], '--out'],
    [['plot', 'run', '--out', ''], '--out'],
    [['explore', 'run', '--out', ''], '--out'],
    [['runs', ''], 'folder'],
    [['compare', 'run', ''], 'run'],
  ])('an empty value, which as a path would be the working folder: %j', async (args, where) => {
    writeFileSync(scratch('thesis.tex'), '')
    const { code, stderr } = await eigenae(args, { cwd: scratch() })
    expect(stderr).toBe(`eigenae: ${where}: is empty\n`)
    expect(code).toBe(2)
    expect(readdirSync(scratch())).toEqual(['thesis.tex'])
  })

  it.each([
    [['train', '--confg', 'x'], "unknown option '--confg'\n(Did you mean --config?)"],
    [
      ['export', 'run', '--out', 'x', '--formt', 'onnx'],
      "unknown option '--formt'\n(Did you mean --format?)",
    ],
    [['sweep', '--dryrun'], "unknown option '--dryrun'\n(Did you mean --dry-run?)"],
    [['sweep'], "required option '--config <file>' not specified"],
    [['embed', 'run'], "required option '--out <file>' not specified"],
  ])('a slip in an option, before one that is missing: %j', async (args, message) => {
    const { code, stdout, stderr } = await eigenae(args)
    expect(stderr).toContain(`error: ${message}\n`)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  it('more threads than any machine has cores', async () => {
    const { code, stderr } = await eigenae(['train', '--config', config, '--threads', '1000000'])
    expect(stderr).toBe('eigenae: --threads: must be at most 1024 (got 1000000)\n')
    expect(code).toBe(2)
  })
})

describe('a process of its own prints and returns what a call within the tests does', () => {
  it.each([
    ...calledCommands.map((command) => [command, scratch('nothing')]),
    ['train', '--help'],
    ['runs', '--no-such-option'],
  ])('%s %s', async (...args) => {
    expect(await call(args)).toEqual(await start(args).finished)
  })

  it('train and sweep, with the same files', async () => {
    tinyConfigs(scratch(), 1)
    writeJson(scratch('s.json'), { name: 's', variants: { eigen: 'eigen.json' }, seeds: [0, 1] })
    const [called, started] = [scratch('called'), scratch('started')]
    for (const [ofCommand, runs] of [
      [['train', '--config', scratch('eigen.json'), '--json'], ['.']],
      [
        ['sweep', '--config', scratch('s.json')],
        ['eigen/seed-0', 'eigen/seed-1'],
      ],
    ] as const) {
      const args = (out: string) => [...ofCommand, '--out', join(out, ofCommand[0])]
      const [here, there] = [await call(args(called)), await start(args(started)).finished]
      expect(here.stdout.replaceAll(called, started)).toBe(there.stdout)
      expect([here.code, there.code]).toEqual([0, 0])
      await expectSameRuns(runs, join(called, ofCommand[0]), join(started, ofCommand[0]))
      for (const run of runs) {
        const recordOf = (out: string) => readJson(join(out, ofCommand[0], run, 'run.json'))
        const { words, folder } = recordOf(called).command
        expect({ words: words.map((word: string) => word.replace(called, started)), folder }).toEqual(
          recordOf(started).command,
        )
      }
    }
  })
})

describe('a command in a hint begins as the user began', () => {
  it.each([
    ['in a shell', undefined, undefined, 'eigenae'],
    ['with npx, as in a clone', 'npx', "'eigenae'", 'npx eigenae'],
    ['in a script that npx runs', 'npx', 'vitest run', 'eigenae'],
    ['in a script of npm', 'test', 'eigenae doctor', 'eigenae'],
  ])('%s', async (_, event = '', script = '', name) => {
    const npm = { npm_lifecycle_event: event, npm_lifecycle_script: script }
    const env = { ...npm, EIGENAE_TENSORFLOW_DIR: scratch('no-tensorflow') }
    const args = ['train', '--config', config, '--device', 'tensorflow-cpu', '--out', scratch('not-set-up')]
    const { stderr } = await eigenae(args, { env })
    expect(stderr).toMatch(new RegExp(`^Run: ${name} setup tensorflow --cpu$`, 'm'))
  })
})

import { readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { call, commandsWithoutTraining, configs, eigenae, scratchFolder, start } from './support/cli.js'

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
  it.each([...commandsWithoutTraining])('%s', async (command) => {
    for (const args of [
      [command, '--help'],
      [command, '--no-such-option'],
      [command, scratch('nothing')],
    ])
      expect(await call(args)).toEqual(await start(args).finished)
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

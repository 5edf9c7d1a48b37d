import { readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configs, eigenae, scratchFolder } from './support/cli.js'

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

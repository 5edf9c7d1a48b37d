import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { program } from '../src/cli.js'
import { manPage, markdownManual } from '../src/manual/manual.js'
import { allCommands, outline } from '../src/manual/outline.js'
import { version } from '../src/runs/facts.js'
import { eigenae, scratchFolder } from './support/cli.js'

const project = join(import.meta.dirname, '..')
const root = outline(await program())
const scratch = scratchFolder()

describe('the manual', () => {
  it('in docs/commands.md is current (otherwise: npm run generate)', () => {
    expect(readFileSync(join(project, 'docs/commands.md'), 'utf8')).toBe(markdownManual(root))
  })

  it('in man/eigenae.1 is current', () => {
    expect(readFileSync(join(project, 'man/eigenae.1'), 'utf8')).toBe(manPage(root, version))
  })

  it('shows a default only for options with a value', () => {
    expect(markdownManual(root)).toContain('(default: 0)')
    expect(markdownManual(root)).not.toMatch(/default: (false|\[\])/)
  })

  it('shows no hidden command', async () => {
    const hidden = (await program()).commands
      .map((command) => command.name())
      .filter((name) => !allCommands(root).some(({ words }) => words[1] === name))
    expect(hidden).toContain('sweep-job')
    for (const name of hidden) expect(markdownManual(root) + manPage(root, version)).not.toContain(name)
  })
})

describe('eigenae --version', () => {
  it('prints the engine, its instruction set and its origin', async () => {
    const { code, stdout } = await eigenae(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^eigenae \d+\.\d+\.\d+ \(native [\w-]+, built here; node \d+\.\d+\.\d+\)\n$/)
  })

  it('prints the instruction set that EIGENAE_ISA forces and rejects one that the processor lacks', async () => {
    const own = process.arch === 'x64' ? 'x86-64' : 'neon'
    const { stdout } = await eigenae(['--version'], { env: { EIGENAE_ISA: own } })
    expect(stdout).toContain(`native ${own},`)
    const refused = await eigenae(['--version'], { env: { EIGENAE_ISA: 'avx1024' } })
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/^eigenae: EIGENAE_ISA: this processor has no instruction set "avx1024"\n/)
  })
})

describe('completion in bash', () => {
  const folder = scratch('work')
  mkdirSync(join(folder, 'runs', 'first'), { recursive: true })
  writeFileSync(join(folder, 'my config.json'), '{}')
  const script = eigenae(['completion', 'bash']).then(({ stdout }) => stdout)

  /** Returns bash's suggestions for the last word. */
  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const ask = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _eigenae; printf '%s\\n' "\${COMPREPLY[@]}"`
    const args = ['-c', `${await script}\n${ask}`, 'bash', 'eigenae', ...words]
    const { stdout, stderr } = spawnSync('bash', ['--norc', ...args], { cwd: folder, encoding: 'utf8' })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((word) => word !== '')
  }

  it('offers commands except the hidden ones', async () => {
    expect(await offered('')).toEqual(root.commands.map(({ words }) => words[1]))
    expect(await offered('tr')).toEqual(['train'])
    expect(await offered('data', '')).toEqual(['verify', 'fetch'])
  })

  it("offers a command's options and the values of an option", async () => {
    expect(await offered('train', '--re')).toEqual(['--resume'])
    expect(await offered('data', 'fetch', '--m')).toEqual(['--mirror'])
    expect(await offered('train', '--device', 'c')).toEqual(['cpu', 'cuda'])
    expect(await offered('train', '--device', '=', 'w')).toEqual(['wasm'])
    expect(await offered('train', '--seed', '')).toEqual([])
  })

  it('offers the paths of a config for --set', async () => {
    expect(await offered('train', '--set', 'train.')).toEqual(['train.epochs=', 'train.batchSize='])
    expect(await offered('sweep', '--set', '=', 'loss.eigen.we')).toContain('loss.eigen.weight.from=')
  })

  it('offers files for a config and folders for a run', async () => {
    expect(await offered('train', '--config', 'my')).toEqual(['my config.json'])
    expect(await offered('compare', '')).toEqual(['runs'])
    expect(await offered('compare', 'runs/first', 'runs/')).toEqual(['runs/first'])
    expect(await offered('runs', '')).toEqual(['runs', 'tag', 'untag', 'note'])
    expect(await offered('runs', 'tag', '')).toEqual(['runs'])
  })
})

describe('completion in zsh and fish', () => {
  it('accepts values in the word of the option, and offers the paths of a config', async () => {
    const zsh = (await eigenae(['completion', 'zsh'])).stdout
    expect(zsh).toMatch(/'--metric=\[.*\]:value:\(train_mse /)
    expect(zsh).toMatch(/'\*--set=\[.*\]:value:\{compadd -S "" -- .* train\.epochs= /)
    const fish = (await eigenae(['completion', 'fish'])).stdout
    expect(fish).toMatch(/-l set -r -f -a '.* train\.epochs= /)
  })
})

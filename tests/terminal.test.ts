import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configs, scratchFolder } from './support/cli.js'

const scratch = scratchFolder()
const bin = join(import.meta.dirname, '../bin/eigenae.js')
// util-linux's script runs a command on a pseudo-terminal.
const hasScript = spawnSync('script', ['--version']).status === 0
if (!hasScript && process.env.CI) throw new Error('these tests need the command "script" of util-linux')

function onTerminal(command: string): string {
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', cwd: scratch() })
  return stdout
}

describe.skipIf(!hasScript)('train on a terminal (needs util-linux script)', () => {
  const config = join(configs, 'eigen.json')
  const train = `${process.execPath} ${bin} train --config ${config} --epochs 2 --set data.limit=20000`

  it('shows a bar with epoch, step, images a second, loss and time left, and clears it away', () => {
    const shown = onTerminal(`${train} --out bar`)
    const step = /█*░* epoch 1\/2 · step \d+\/313 · [\d,]+ images\/s · loss 0\.\d+ · \d+:\d\d left/
    expect(shown).toMatch(step)
    expect(shown.split('\r').at(-1)).not.toContain('░')
    expect(shown).toContain('test MSE')
  })

  it('shows none with --quiet', () => {
    expect(onTerminal(`${train} --out quiet --quiet`)).not.toContain('epoch')
  })
})

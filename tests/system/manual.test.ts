import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eigenae, scratchFolder } from '../support/cli.js'
import { describeUnless, skipsWithout } from '../support/requirements.js'

const page = join(import.meta.dirname, '../../man/eigenae.1')
const scratch = scratchFolder()
const without = (tool: string) => {
  const found = spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0
  return found ? null : `no ${tool} (Debian: apt-get install ${tool === 'groff' ? 'groff-base' : tool})`
}

async function completion(shell: string): Promise<string> {
  const { stdout } = await eigenae(['completion', shell])
  writeFileSync(scratch(shell), stdout)
  return scratch(shell)
}

describeUnless(without('fish'), 'completion in fish', () => {
  it('offers commands, options and their values', async () => {
    const script = await completion('fish')
    const offered = (line: string) =>
      spawnSync('fish', ['--no-config', '-c', `source ${script}; complete -C '${line}'`], {
        encoding: 'utf8',
      })
        .stdout.split('\n')
        .map((each) => each.split('\t')[0])
        .filter((each) => each !== '')
    expect(offered('eigenae tr')).toEqual(['train'])
    expect(offered('eigenae data ').sort()).toEqual(['fetch', 'verify'])
    expect(offered('eigenae train --re')).toEqual(['--resume'])
    expect(offered('eigenae train --device c').sort()).toEqual(['cpu', 'cuda'])
    expect(offered('eigenae train --set train.e')).toEqual(['train.epochs='])
  })
})

describeUnless(without('zsh'), 'completion in zsh', () => {
  it.each([
    ['eigenae tr', 'eigenae train'],
    ['eigenae train --res', 'eigenae train --resume'],
    ['eigenae data fe', 'eigenae data fetch'],
    ['eigenae runs unt', 'eigenae runs untag'],
    ['eigenae train --device wa', 'eigenae train --device wasm'],
    ['eigenae compare --metric=dea', 'eigenae compare --metric=dead_'],
    ['eigenae train --set train.e', 'eigenae train --set train.epochs='],
  ])('completes "%s" to "%s"', async (typed, wanted) => {
    const script = await completion('zsh')
    const setUp = `autoload -U compinit; compinit -u -d ${scratch('dump')}; source ${script}; echo READY`
    const ask = `zmodload zsh/zpty
      zpty z zsh -f -i; zpty -w z '${setUp}'; zpty -r z out '*READY*READY*'
      zpty -n -w z '${typed}'$'\\t'; zpty -r z out '*${wanted}*' && print -r -- "$out"; zpty -d z`
    const { stdout } = spawnSync('zsh', ['-f', '-c', ask], { encoding: 'utf8', timeout: 20_000 })
    expect(stdout).toContain(wanted)
  })
})

describe('the man page', () => {
  it.skipIf(skipsWithout(without('groff')))('has no errors in groff', () => {
    const { status, stderr } = spawnSync('groff', ['-man', '-ww', '-Tutf8', page], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it.skipIf(skipsWithout(without('mandoc')))('has no warnings in mandoc', () => {
    const { stdout, stderr } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], {
      encoding: 'utf8',
    })
    // A generated page has no date.
    const warnings = (stdout + stderr).split('\n').filter((line) => line !== '' && !/missing date/.test(line))
    expect(warnings).toEqual([])
  })
})

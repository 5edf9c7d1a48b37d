import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { scratchFolder } from './support/cli.js'
import { describeUnless } from './support/requirements.js'
import { tinyConfigs, writeJson } from './support/sweeps.js'
import { noScript, onTerminal, prompt, type Shown } from './support/terminal.js'

const scratch = scratchFolder()
tinyConfigs(scratch(), 3)
const cwd = scratch()

describeUnless(noScript, 'train on a terminal', () => {
  const train = (out: string, ...more: readonly string[]) => [
    ...['train', '--config', 'none.json', '--out', out, '--threads', '1'],
    ...more,
  ]

  let wide: Shown
  beforeAll(async () => {
    wide = await onTerminal(train('wide'), { cwd, columns: 120 })
  })

  it('shows a bar with epoch, step, images per second, loss and time left, and erases it at the end', () => {
    const { output, lines, cursorHidden } = wide
    expect(output).toMatch(/█*░* epoch 1\/3 · step 4\/4 · [\d,]+ images\/s · loss 0\.\d+ · \d+:\d\d left/)
    expect(lines.join('\n')).not.toMatch(/[█░]{5}/)
    expect(lines.find((line) => line.startsWith('test MSE'))).toBeDefined()
    expect(cursorHidden).toBe(false)
  })

  it('shows the test MSE and effective rank of the last epoch beside the bar, at 80 columns without the speed', async () => {
    expect(wide.output).toMatch(/epoch 3\/3 · step .* left · test MSE 0\.\d+ · rank \d\.\d\d/)
    const narrow = await onTerminal(train('narrow'), { cwd, columns: 80 })
    expect(narrow.output).toMatch(
      /[█░]{6} epoch 3\/3 · loss 0\.\d+ · \d+:\d\d left · test MSE 0\.\d+ · rank \d\.\d\d/,
    )
  })

  it('ends with the time it took and a command to continue with', () => {
    const { lines } = wide
    expect(lines.find((line) => /^trained 3 epochs in \d+\.\d s$/.test(line))).toBeDefined()
    expect(lines.at(-2)).toBe('next: eigenae plot wide')
  })

  it('shows the speed of epochs that are shorter than the time between two updates', () => {
    const { output } = wide
    const ends = output.match(/step 4\/4 · \S+ images\/s/g)
    expect(ends?.length).toBeGreaterThanOrEqual(3)
    expect(ends).not.toContain('step 4/4 · 0 images/s')
    expect(output).not.toContain(' 0 images/s')
  })

  it('shows no bar with --quiet', async () => {
    expect((await onTerminal(train('quiet', '--quiet'), { cwd })).output).not.toContain('epoch')
  })

  it.each([40, 80, 200])('leaves no bar above the prompt after Ctrl-C at %i columns', async (columns) => {
    const args = train(`interrupted-${columns}`, '--epochs', '100000')
    const { code, lines, cursorHidden } = await onTerminal(args, { cwd, columns, interruptAt: 'epoch 2/' })
    expect(code).toBe(130)
    expect(lines.slice(1)).toEqual([
      'stopping …',
      expect.stringMatching(
        new RegExp(`^eigenae: interrupted-${columns}: interrupted; epoch \\d+ of 100000 is saved$`),
      ),
      'To resume, repeat the command with --resume (eigenae train --config none.json … --resume).',
      prompt,
    ])
    expect(cursorHidden).toBe(false)
  })
})

describeUnless(noScript, 'sweep on a terminal', () => {
  const file = (name: string, runs: number) =>
    writeJson(join(cwd, `${name}.json`), {
      ...{ name, variants: { none: 'none.json' } },
      seeds: Array.from({ length: runs }, (_, seed) => seed),
    })
  const sweep = (name: string, runs: number, jobs: number, ...more: readonly string[]) => [
    ...['sweep', '--config', file(name, runs), '--jobs', String(jobs), '--set', 'device=cpu'],
    ...more,
  ]

  it.each([
    [40, 1, 4, 24],
    [80, 4, 6, 24],
    [200, 6, 10, 9],
  ])('shows every line of every run whole at %i columns with %i jobs', async (columns, jobs, runs, rows) => {
    const { code, lines } = await onTerminal(sweep(`whole-${columns}`, runs, jobs), { cwd, columns, rows })
    expect(code).toBe(0)
    const ended = lines.filter((line) => /^none\/seed-\d+: /.test(line))
    for (const line of ended)
      expect(line).toMatch(/^none\/seed-\d+: completed in \d+\.\d s {2}test MSE 0\.\d+$/)
    expect(new Set(ended.map((line) => line.split(':')[0])).size).toBe(runs)
    expect(ended.length).toBe(runs)
    expect(lines.find((line) => line.startsWith(`${runs} runs completed in `))).toBeDefined()
    expect(lines.join('\n')).not.toMatch(/[█░]{5}/)
  })

  it.each([1, 4])('names every interrupted run and leaves no bar after Ctrl-C with %i jobs', async (jobs) => {
    const args = sweep(`stopped-${jobs}`, 6, jobs, '--set', 'train.epochs=100000')
    const { code, lines, cursorHidden } = await onTerminal(args, { cwd, interruptAt: `${jobs} running` })
    expect(code).toBe(130)
    const shown = lines.join('\n')
    expect(shown).not.toMatch(/[█░]{5}/)
    expect(lines.filter((line) => /^none\/seed-\d: interrupted$/.test(line)).length).toBe(jobs)
    expect(shown).toContain(`0 runs completed, 6 left in `)
    expect(lines.at(-1)).toBe(prompt)
    expect(cursorHidden).toBe(false)
  })
})

import { appendFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { hasScript, onTerminal } from './support/terminal.js'
import { startWatch } from './support/watch.js'

const scratch = scratchFolder()

/** Makes fs.watch fail, as if the files were written by another machine. */
const withoutNotices = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    "import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'; fs.watch = () => { throw new Error('no notices') }; syncBuiltinESMExports()",
  )}`,
}

describe('eigenae watch', () => {
  it('lists every run with its state, the planned ones and the reasons of failures among them', async () => {
    const folder = scratch('states')
    writeRun(join(folder, 'a', 'seed-0'), { testMse: 0.026, epochs: 3 })
    writeRun(join(folder, 'a', 'seed-1'), { seed: 1, status: 'failed' })
    writeRun(join(folder, 'b', 'seed-0'), {
      status: 'interrupted',
      eigen: { kind: 'top-k', k: 2, weight: 1, center: false },
    })
    writeRun(join(folder, 'b', 'seed-1'), { seed: 1 })
    writeFileSync(join(folder, 'b', 'seed-1', 'evaluation.json'), '{')
    const runs = ['a/seed-0', 'a/seed-1', 'b/seed-0', 'b/seed-1', 'b/seed-2']
    writeFileSync(
      join(folder, 'sweep.json'),
      JSON.stringify({ format: 'eigenae-sweep-1', name: 'states', runs }),
    )
    const { watched, end } = await startWatch([folder])
    expect(watched.named('completed')).toEqual(['a/seed-0'])
    expect(watched.named('failed')).toEqual(['a/seed-1'])
    expect(watched.named('interrupted')).toEqual(['b/seed-0'])
    expect(watched.named('damaged')).toEqual(['b/seed-1'])
    expect(watched.named('waiting')).toEqual(['b/seed-2'])
    expect(watched.rows.get('a/seed-0')).toMatchObject({ epoch: 3, epochs: 3, testMse: 0.026, seconds: 60 })
    expect(watched.rows.get('a/seed-0')!.history.at(-1)).toBe(0.026)
    expect(watched.rows.get('a/seed-1')!.reason).toBe('no power')
    expect(watched.rows.get('b/seed-1')!.reason).toContain('evaluation.json')
    expect(watched.summary).toMatchObject({
      sweeps: [{ name: 'states', folder: '.', followed: false, runs: 5, left: 4 }],
    })
    expect((await end('SIGINT')).code).toBe(0)
  })

  it.each([
    ['with notices from the system', {}],
    ['by polling, on files that another machine writes', withoutNotices],
  ])('follows runs that appear, grow, end and vanish %s', async (_, env) => {
    const folder = scratch(`grow-${Object.keys(env).length}`)
    writeRun(join(folder, 'x', 'seed-0'))
    const { watched, end } = await startWatch([folder], { env })
    const training = join(folder, 'x', 'seed-1')
    const args = trainArgs('baseline.json', training, 'data.limit=300', 'train.epochs=1000000')
    const running = start([...args, '--seed', '1'])
    await expect.poll(() => watched.named('running')).toEqual(['x/seed-1'])
    const epoch = () => watched.rows.get('x/seed-1')!.epoch
    await expect.poll(epoch).toBeGreaterThan(0)
    const seen = epoch()
    await expect.poll(epoch).toBeGreaterThan(seen)
    expect(watched.rows.get('x/seed-1')!.secondsPerEpoch).toBeGreaterThan(0)
    expect(watched.summary!.secondsLeft).toBeGreaterThan(0)
    running.process.kill('SIGKILL')
    await running.finished
    await expect.poll(() => watched.named('interrupted')).toEqual(['x/seed-1'])
    expect(watched.rows.get('x/seed-1')!.reason).toContain('its process is gone')
    rmSync(training, { recursive: true })
    await expect.poll(() => [...watched.rows.keys()]).toEqual(['x/seed-0'])
    expect(watched.reports).toBeGreaterThan(1)
    expect((await end('SIGINT')).code).toBe(0)
  })

  it('shows the error of a run that ended before it wrote anything', async () => {
    const folder = scratch('early')
    writeRun(join(folder, 'a', 'seed-0'))
    writeFileSync(
      join(folder, 'sweep.json'),
      JSON.stringify({ format: 'eigenae-sweep-1', name: 'early', runs: ['a/seed-0', 'a/seed-1'] }),
    )
    cpSync(join(folder, 'a', 'seed-0', 'config.json'), join(folder, 'a', 'seed-1', 'config.json'))
    const { watched, end } = await startWatch([folder])
    expect(watched.named('waiting')).toEqual(['a/seed-1'])
    appendFileSync(
      join(folder, 'a', 'seed-1', 'train.log'),
      '--- attempt 2026-11-26T10:00:00.000Z\neigenae: no CUDA device\nUse --device cpu.\n',
    )
    await expect.poll(() => watched.named('failed')).toEqual(['a/seed-1'])
    expect(watched.rows.get('a/seed-1')!.reason).toBe('no CUDA device\nUse --device cpu.')
    await end('SIGTERM')
  })

  it('gives its report, in which only completed runs are counted', async () => {
    const folder = scratch('report')
    for (const seed of [0, 1])
      writeRun(join(folder, 'none', `seed-${seed}`), { seed, testMse: 0.026 + seed / 1000 })
    writeRun(join(folder, 'norm', 'seed-0'), { testMse: 0.017, batchNorm: 'all' })
    writeRun(join(folder, 'norm', 'seed-1'), {
      seed: 1,
      status: 'interrupted',
      testMse: 0.5,
      batchNorm: 'all',
    })
    const { address, end } = await startWatch([folder])
    const { data } = (await (await fetch(`${address}report.json`)).json()) as {
      readonly data: { readonly csv: string; readonly choices: { readonly runs: readonly object[] } }
    }
    const compared = await eigenae(['compare', folder, '--out', scratch('compared')])
    expect(compared.code).toBe(0)
    expect(data.csv).toBe(readFileSync(scratch('compared', 'comparison.csv'), 'utf8'))
    expect(data.choices.runs).toHaveLength(4)
    await end('SIGINT')
  })

  it('answers only requests with its token, for this machine, that read', async () => {
    const folder = scratch('secret')
    writeRun(join(folder, 'seed-0'))
    const { address, end } = await startWatch([folder])
    const { port, pathname } = new URL(address)
    const ask = (
      path: string,
      options: { readonly method?: string; readonly headers?: Record<string, string> } = {},
    ) =>
      new Promise<number>((resolve, reject) => {
        const asked = request({ host: '127.0.0.1', port, path, ...options }, (response) => {
          response.resume()
          resolve(response.statusCode!)
        })
        asked.on('error', reject).end()
      })
    expect(pathname).toMatch(/^\/[0-9a-f]{32}\/$/)
    expect(await ask(pathname)).toBe(200)
    expect(await ask('/')).toBe(404)
    expect(await ask('/events')).toBe(404)
    expect(await ask(`/${'0'.repeat(32)}/`)).toBe(404)
    expect(await ask(`${pathname}../../etc/passwd`)).toBe(404)
    expect(await ask(pathname, { headers: { Host: 'evil.example' } })).toBe(404)
    expect(await ask(pathname, { headers: { Host: 'localhost:8000' } })).toBe(200)
    expect(await ask(pathname, { method: 'POST' })).toBe(405)
    await end('SIGINT')
  })

  it('ends at Ctrl-C, although a reader is connected, and leaves nothing', async () => {
    const folder = scratch('nothing')
    writeRun(join(folder, 'seed-0'))
    const files = () => readdirSync(folder, { recursive: true }).sort()
    const before = files()
    const { address, end } = await startWatch([folder])
    const { code, stderr, stdout } = await end('SIGINT')
    expect(code).toBe(0)
    expect(stderr).toBe(`watching ${folder}; Ctrl-C ends this\nstopping …\n`)
    expect(stdout).toBe(`${address}\n`)
    expect(files()).toEqual(before)
    await expect(fetch(address)).rejects.toThrow()
  })

  it('refuses a folder that does not exist, a host of another machine and a port in use', async () => {
    const folder = scratch('refused')
    writeRun(join(folder, 'seed-0'))
    const { address, end } = await startWatch([folder])
    const { port } = new URL(address)
    const refused = await Promise.all([
      eigenae(['watch', scratch('missing')]),
      eigenae(['watch', folder, '--host', '192.0.2.1']),
      eigenae(['watch', folder, '--port', port]),
    ])
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2])
    expect(refused[0]!.stderr).toContain('does not exist')
    expect(refused[0]!.stdout).toBe('')
    expect(refused[1]!.stderr).toContain('--host 192.0.2.1: is not an address of this machine')
    expect(refused[2]!.stderr).toContain(`--port ${port}: another program uses this port`)
    await end('SIGINT')
  })
})

describe('eigenae watch --terminal', () => {
  const folder = scratch('text')
  const write = () => {
    for (const seed of [0, 1]) writeRun(join(folder, 'none', `seed-${seed}`), { seed, testMse: 0.026 })
    writeRun(join(folder, 'norm', 'seed-0'), { testMse: 0.017, batchNorm: 'all' })
    writeRun(join(folder, 'norm', 'seed-1'), { seed: 1, status: 'failed', batchNorm: 'all' })
  }

  it('prints the state once into a pipe', async () => {
    write()
    const { code, stdout } = await eigenae(['watch', folder, '--terminal'])
    expect(code).toBe(0)
    expect(stdout).toContain('3 completed · 1 failed · 4 in all')
    expect(stdout).toContain('norm/seed-1: failed: no power')
    expect(stdout).toMatch(/2 +0\.0260 ± 0\.0000 .*\n.*1 +\* 0\.01700 /)
  })

  it.skipIf(!hasScript)(
    'redraws a terminal until Ctrl-C, which brings back what it showed before',
    async () => {
      write()
      const args = ['watch', folder, '--terminal']
      const shown = await onTerminal(args, {
        cwd: scratch(),
        columns: 60,
        rows: 20,
        interruptAt: '* 0.01700',
      })
      expect(shown.code).toBe(0)
      expect(shown.cursorHidden).toBe(false)
      expect(shown.output.indexOf('\x1b[?1049h')).toBeLessThan(shown.output.indexOf('\x1b[?1049l'))
      expect(shown.lines.join('\n')).toContain('3 completed · 1 failed · 4 in all')
      expect(shown.lines.every((line) => line.length <= 60)).toBe(true)
    },
  )
})

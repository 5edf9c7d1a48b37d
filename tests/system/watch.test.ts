import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ReportData } from '../../src/pages/report/report-format.js'
import { eigenae, scratchFolder, start, trainArgs } from '../support/cli.js'
import { skipsWithout } from '../support/requirements.js'
import { writeRun } from '../support/run-folder.js'
import { sealRun } from '../support/seal.js'
import { writeJson } from '../support/sweeps.js'
import { writeProgram } from '../support/tensorflow.js'
import { noScript, onTerminal } from '../support/terminal.js'
import { startWatch } from '../support/watch.js'

const scratch = scratchFolder()

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

  it('follows runs that appear, grow, end and vanish', async () => {
    const folder = scratch('grow')
    writeRun(join(folder, 'x', 'seed-0'))
    const { watched, end } = await startWatch([folder])
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
    expect(watched.rows.get('x/seed-1')!.reason).toContain('its process has ended')
    rmSync(training, { recursive: true })
    await expect.poll(() => [...watched.rows.keys()]).toEqual(['x/seed-0'])
    expect(watched.reports).toBeGreaterThan(1)
    expect((await end('SIGINT')).code).toBe(0)
  })

  it('shows the error of a run that ended before it wrote anything', async () => {
    const folder = scratch('early')
    writeRun(join(folder, 'a', 'seed-0'))
    const runs = ['a/seed-0', 'a/seed-1']
    writeJson(join(folder, 'sweep.json'), { format: 'eigenae-sweep-1', name: 'early', runs })
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

  it('judges the folder of a run again if the plan changes', async () => {
    const folder = scratch('planned')
    sealRun(writeRun(join(folder, 'a', 'seed-0')))
    const plan = { format: 'eigenae-sweep-1', name: 'planned', runs: ['a/seed-0'] }
    writeJson(join(folder, 'sweep.json'), plan)
    const { watched, end } = await startWatch([folder])
    expect(watched.named('completed')).toEqual(['a/seed-0'])
    writeJson(join(folder, 'sweep.json'), { ...plan, configs: { 'a/seed-0': 'of another config' } })
    await expect.poll(() => watched.named('damaged')).toEqual(['a/seed-0'])
    expect(watched.rows.get('a/seed-0')!.reason).toContain('is not the one that sweep.json names')
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
    writeRun(join(folder, 'wide', 'seed-0'), { status: 'failed', latent: 8, epochs: 0 })
    const { address, end } = await startWatch([folder])
    const { data } = (await (await fetch(`${address}report.json`)).json()) as {
      readonly data: Pick<ReportData, 'csv' | 'choices' | 'tables'>
    }
    const compared = await eigenae(['compare', folder, '--out', scratch('compared')])
    expect(compared.code).toBe(0)
    expect(data.csv).toBe(readFileSync(scratch('compared', 'comparison.csv'), 'utf8'))
    expect(data.choices.runs).toHaveLength(4)
    const cells = (column: number) =>
      data.tables['table-main']!.rows.map((row) => row.cells[column] as { readonly text: string })
    expect(cells(0).map(({ text }) => text)).toEqual(['none †', 'norm', 'wide'])
    expect(cells(1).map(({ text }) => text)).toEqual(['2', '1 of 2', '0 of 1'])
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

  it('continues when runs are damaged, removed and replaced, and when the watched folder itself vanishes', async () => {
    const folder = scratch('harm')
    for (const seed of [0, 1, 2, 3]) writeRun(join(folder, 'a', `seed-${seed}`), { seed })
    const { address, watched, end } = await startWatch([folder])
    expect(watched.named('completed')).toHaveLength(4)

    appendFileSync(join(folder, 'a', 'seed-1', 'metrics.csv'), '4,not a number\n')
    await expect.poll(() => watched.named('damaged')).toEqual(['a/seed-1'])
    expect(watched.rows.get('a/seed-1')!.reason).toContain('metrics.csv')

    rmSync(join(folder, 'a', 'seed-2'), { recursive: true })
    rmSync(join(folder, 'a', 'seed-3'), { recursive: true })
    writeFileSync(join(folder, 'a', 'seed-3'), 'a file in place of the folder')
    await expect.poll(() => [...watched.rows.keys()].sort()).toEqual(['a/seed-0', 'a/seed-1'])
    const report = (await (await fetch(`${address}report.json`)).json()) as {
      readonly data: { readonly choices: { readonly runs: readonly object[] } }
    }
    expect(report.data.choices.runs).toHaveLength(1)

    renameSync(folder, scratch('elsewhere'))
    await expect.poll(() => watched.summary!.unreadable).toEqual([expect.stringContaining(folder)])
    renameSync(scratch('elsewhere'), folder)
    writeRun(join(folder, 'a', 'seed-4'), { seed: 4 })
    await expect.poll(() => watched.named('completed')).toEqual(['a/seed-0', 'a/seed-4'])
    await expect.poll(() => watched.summary!.unreadable).toEqual([])
    expect((await end('SIGINT')).code).toBe(0)
  })

  it('ends at Ctrl-C, although a reader is connected, and leaves nothing', async () => {
    const folder = scratch('nothing')
    writeRun(join(folder, 'seed-0'))
    const files = () => readdirSync(folder, { recursive: true }).sort()
    const before = files()
    const temporary = scratch('nothing-temporary')
    mkdirSync(temporary)
    const { address, end } = await startWatch([folder], { env: { TMPDIR: temporary } })
    const { code, stderr, stdout } = await end('SIGINT')
    expect(code).toBe(0)
    expect(stderr).toBe(`watching ${folder}; Ctrl-C ends this\nstopping …\n`)
    expect(stdout).toBe(`${address}\n`)
    expect(files()).toEqual(before)
    expect(readdirSync(temporary)).toEqual([])
    await expect(fetch(address)).rejects.toThrow()
  })

  it('waits for a folder that does not exist yet', async () => {
    const folder = scratch('later')
    const { watched, end } = await startWatch([folder])
    expect(watched.summary!.unreadable).toEqual([`waiting for ${folder}, which does not exist yet`])
    writeRun(join(folder, 'seed-0'))
    await expect.poll(() => watched.named('completed')).toEqual(['seed-0'])
    expect(watched.summary!.unreadable).toEqual([])
    expect((await end('SIGINT')).code).toBe(0)
  })

  it('refuses to print a folder that does not exist, a host of another machine and a port in use', async () => {
    const folder = scratch('refused')
    writeRun(join(folder, 'seed-0'))
    const { address, end } = await startWatch([folder])
    const { port } = new URL(address)
    const refused = await Promise.all([
      eigenae(['watch', scratch('missing'), '--terminal']),
      eigenae(['watch', folder, '--host', '192.0.2.1']),
      eigenae(['watch', folder, '--port', port]),
    ])
    expect(refused.map(({ code }) => code)).toEqual([2, 2, 2])
    expect(refused[0]!.stderr).toContain('does not exist')
    expect(refused[0]!.stdout).toBe('')
    expect(refused[1]!.stderr).toContain('--host 192.0.2.1: is not an address of this machine')
    expect(refused[2]!.stderr).toContain(`--port ${port}: port already in use`)
    await end('SIGINT')
  })
})

describe('the machine that eigenae watch shows', () => {
  const folder = scratch('machine')

  /** Writes commands and returns the environment in which they, and only they, are found. */
  function commands(name: string, programs: Readonly<Record<string, string>>) {
    mkdirSync(scratch(name), { recursive: true })
    for (const [command, shell] of Object.entries(programs)) writeProgram(scratch(name, command), shell)
    return { PATH: scratch(name) }
  }

  const nvidiaSmi = `echo "$@" > "$0.asked"
echo '0, NVIDIA H100 80GB HBM3, 43, 12288, 81920, 51'
echo '1, NVIDIA H100 80GB HBM3, [N/A], 0, 81920, [N/A]'`
  const squeue = `echo "$@" > "$0.asked"
echo '7|0|70|RUNNING|None|node2|0|eigenae one|'
echo '7|1|71|RUNNING|None|node1|0|eigenae one|'
echo '7|2|72|PENDING|Resources||0|eigenae one|'
echo '7|3|73|PENDING|Priority||0|eigenae one|'
echo '7|4|74|PENDING|Priority||0|eigenae one|'
echo '9|0|90|RUNNING|None|node9|0|the job of another program|'`

  it('has the GPUs of nvidia-smi and the tasks of squeue', async () => {
    writeRun(join(folder, 'seed-0'))
    const env = commands('both', { 'nvidia-smi': nvidiaSmi, squeue })
    const { watched, end } = await startWatch([folder], { env })
    await expect
      .poll(() => watched.machine)
      .toEqual({
        gpus: [
          {
            index: '0',
            name: 'NVIDIA H100 80GB HBM3',
            utilisation: 43,
            usedMiB: 12288,
            totalMiB: 81920,
            temperature: 51,
          },
          {
            index: '1',
            name: 'NVIDIA H100 80GB HBM3',
            utilisation: null,
            usedMiB: 0,
            totalMiB: 81920,
            temperature: null,
          },
        ],
        slurm: {
          states: [
            { name: 'PENDING', count: 3 },
            { name: 'RUNNING', count: 2 },
          ],
          reasons: [
            { name: 'Priority', count: 2 },
            { name: 'Resources', count: 1 },
          ],
          nodes: ['node1', 'node2'],
        },
      })
    expect(readFileSync(scratch('both', 'nvidia-smi.asked'), 'utf8')).toBe(
      '--query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu --format=csv,noheader,nounits\n',
    )
    expect(readFileSync(scratch('both', 'squeue.asked'), 'utf8')).toMatch(/^--me .*--states=all /)
    await end('SIGINT')
  })

  it('is a line for each GPU and one for the tasks in a terminal', async () => {
    writeRun(join(folder, 'seed-0'))
    const env = commands('both', { 'nvidia-smi': nvidiaSmi, squeue })
    const { stdout } = await eigenae(['watch', folder, '--terminal'], { env })
    expect(stdout).toContain(
      'GPU 0, NVIDIA H100 80GB HBM3: 43 %, 12288 of 81920 MiB\nGPU 1, NVIDIA H100 80GB HBM3: – %, 0 of 81920 MiB\n',
    )
    expect(stdout).toContain('Slurm: 3 PENDING, 2 RUNNING; pending: 2 Priority, 1 Resources\n')
  })

  it.each([
    ['are not installed', {}],
    ['fail', { 'nvidia-smi': 'echo "no driver"; exit 9', squeue: 'echo "no controller" >&2; exit 1' }],
    ['print something else', { 'nvidia-smi': 'echo "No devices were found"', squeue: 'exit 1' }],
  ] as const)('is not shown if its commands %s', async (how, programs) => {
    writeRun(join(folder, 'seed-0'))
    const env = commands(how.replaceAll(' ', '-'), programs)
    const { code, stdout, stderr } = await eigenae(['watch', folder, '--terminal'], { env })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('1 completed · 1 in all')
    expect(stdout).not.toMatch(/GPU|Slurm/)
  })

  it('does not delay Ctrl-C, which ends a command that does not answer', async () => {
    writeRun(join(folder, 'seed-0'))
    const env = commands('silent', {
      squeue: 'echo $$ > "$0.pid"; exec /usr/bin/env -S PATH=/usr/bin:/bin sleep 1000',
    })
    const { end } = await startWatch([folder], { env })
    const pidFile = scratch('silent', 'squeue.pid')
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8')).toMatch(/^\d+\n$/)
    expect((await end('SIGINT')).code).toBe(0)
    const pid = Number(readFileSync(pidFile, 'utf8'))
    await expect.poll(() => isAlive(pid)).toBe(false)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

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

  it.skipIf(skipsWithout(noScript))(
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

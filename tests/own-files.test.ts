import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  appendFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ownProcessTag, pidNamespace } from '../src/files/processes.js'
import { temporaryName } from '../src/files/write.js'
import { configs, eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { dataFolder } from './support/idx.js'
import { sealRun } from './support/seal.js'
import { recordSyncs } from './support/synced.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
const settings = [`data.source=${dataFolder(scratch('data'))}`, 'train.epochs=1', 'model.widths=[784,16,4]']
const trainIn = (folder: string, ...flags: readonly string[]) =>
  eigenae([...trainArgs('baseline.json', scratch(folder), ...settings), ...flags])

/** The name of a temporary file of a process that has ended. */
function leftover(name: string): string {
  const dead = ownProcessTag().replace(/-p\d+-s.*$/, `-p${2 ** 22 + 1}-s1`)
  const nonce = /[0-9a-f]{12}(?=\.eigenae-tmp$)/
  return basename(temporaryName(name)).replace(ownProcessTag(), dead).replace(nonce, '0123456789ab')
}

async function copyOfRun(name: string): Promise<string> {
  await cp(scratch('run'), scratch(name), { recursive: true })
  return name
}

beforeAll(async () => {
  expect((await trainIn('run')).code).toBe(0)
  expect((await run('compare', 'run', '--out', 'compared')).code).toBe(0)
})

describe("a user's own files", () => {
  it('stay in a run folder whatever their names, and leftovers of a killed process are removed', async () => {
    const folder = await copyOfRun('with-own-files')
    const own = [
      'thesis.tex.4194305.tmp',
      '.lock.4194305',
      `.a.${ownProcessTag()}.0123456789ab.eigenae-tmp`,
      'checkpoint/notes.txt',
      'notes.json',
    ]
    for (const name of own) await writeFile(scratch(folder, name), 'mine')
    const left = [leftover('run.json'), leftover('.lock'), `checkpoint/${leftover('state.safetensors')}`]
    for (const name of left) await writeFile(scratch(folder, name), 'half')
    // It is listed in run.json, so it belongs to the run.
    await writeFile(scratch(folder, 'layers.csv'), 'damaged')
    const guard = { pid: 2 ** 22 + 1, host: hostname(), space: pidNamespace(), born: '1' }
    await writeFile(scratch(folder, '.lock.takeover'), JSON.stringify(guard))
    expect((await trainIn(folder, '--overwrite')).code).toBe(0)
    for (const name of own) expect(await readFile(scratch(folder, name), 'utf8'), name).toBe('mine')
    const after = await readdir(scratch(folder), { recursive: true })
    for (const name of [...left, '.lock', '.lock.takeover']) expect(after).not.toContain(name)
  })

  it('are not replaced by embed, which replaces its own only with --overwrite', async () => {
    const embed = (file: string, ...flags: readonly string[]) =>
      run('embed', 'run', '--images', '3', '--out', file, ...flags)
    await mkdir(scratch('e'))
    // As numpy writes a header.
    const numpys = (dtype: string, shape: string) =>
      `\x93NUMPY\x01\x00\x76\x00${`{'descr': '${dtype}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117)}\nmine`
    const labels = numpys('|u1', '(4,)')
    await writeFile(scratch('e/a.labels.npy'), labels, 'latin1')
    await writeFile(scratch('e/b.npy'), numpys('<f4', '(1, 1)'), 'latin1')
    await writeFile(scratch('e/b.labels.npy'), labels, 'latin1')
    for (const [file, named] of [
      ['e/a.npy', 'a.labels.npy'],
      ['e/b.npy', 'b.npy'],
    ] as const) {
      const { code, stderr } = await embed(file, '--overwrite')
      expect(stderr).toContain(`e/${named}: exists and was not written by this command`)
      expect(code).toBe(2)
    }
    expect(await readFile(scratch('e/a.labels.npy'), 'latin1')).toBe(labels)
    expect((await readdir(scratch('e'))).sort()).toEqual(['a.labels.npy', 'b.labels.npy', 'b.npy'])
    for (const file of ['e/c.npy', 'e/c.csv']) {
      expect((await embed(file)).code).toBe(0)
      const again = await embed(file)
      expect(again.stderr).toContain(`${file}: already exists\nReplace the embedding with --overwrite`)
      expect(again.code).toBe(2)
      expect((await embed(file, '--overwrite')).code).toBe(0)
    }
  })

  it.each([
    ['plot', ['plot', 'run'], 'run/plots/loss.svg', '<svg><!-- not made by eigenae --></svg>'],
    ['plot --out', ['plot', 'run', '--out', 'drawn'], 'drawn/loss.png', '\x89PNG made by eigenae? no'],
    ['compare', ['compare', 'run', '--out', 'compared'], 'compared/loss.svg', '<svg>made by eigenae</svg>'],
    ['compare', ['compare', 'run', '--out', 'other'], 'other/report.html', '<html>made by eigenae</html>'],
    ['compare', ['compare', 'run', '--out', 'own'], 'own/comparison.json', '{"a": "eigenae-comparison-1"}'],
    [
      'compare',
      ['compare', 'run', '--out', 'csv'],
      'csv/comparison.csv',
      'group,metric,n,mean,sd,low,high,difference,p_value\n',
    ],
    ['explore', ['explore', 'run', '--out', 'page.html'], 'page.html', '<p>content="eigenae explore"</p>'],
  ])('are not replaced by %s though they hold its words', async (_, args, file, content) => {
    await mkdir(scratch(file, '..'), { recursive: true })
    await writeFile(scratch(file), content, 'latin1')
    const { code, stderr } = await run(...args)
    expect(stderr).toContain(`${file}: exists and was not written by this command; refusing to overwrite it`)
    expect(code).toBe(2)
    expect(await readFile(scratch(file), 'latin1')).toBe(content)
    await rm(scratch(file))
  })

  it('are not replaced by export --overwrite, which removes leftovers of a killed export', async () => {
    const write = (format: string) =>
      run('export', 'run', '--format', format, '--out', 'exports/model', '--overwrite')
    await mkdir(scratch('exports', leftover('model')), { recursive: true })
    await writeFile(scratch('exports', leftover('model'), 'README.md'), 'half')
    await writeFile(scratch('exports/.model.0b0b0b0b-0000-4000-8000-000000000000.tmp'), 'mine')
    expect((await write('onnx')).code).toBe(0)
    expect((await write('onnx')).code).toBe(0)
    await writeFile(scratch('exports/model/weights.bin'), 'mine')
    const { code, stderr } = await write('onnx')
    expect(stderr).toContain('exports/model: holds weights.bin, which is not part of an eigenae export')
    expect(code).toBe(2)
    expect((await readdir(scratch('exports'))).sort()).toEqual([
      '.model.0b0b0b0b-0000-4000-8000-000000000000.tmp',
      'model',
    ])
  })
})

describe('a file that a command has written', () => {
  const embed = ['embed', 'run', '--images', '3', '--out']
  it.each([
    ['embed', 'synced/e', [...embed, 'synced/e/z.npy']],
    ['export', 'synced/model', ['export', 'run', '--format', 'tfjs', '--out', 'synced/model']],
    [
      'export of tensorboard',
      'synced/log',
      ['export', 'run', '--format', 'tensorboard', '--out', 'synced/log'],
    ],
    ['compare', 'synced/compared', ['compare', 'run', '--out', 'synced/compared']],
    ['plot', 'synced/plots', ['plot', 'run', '--out', 'synced/plots']],
    ['explore', 'synced/page.html', ['explore', 'run', '--images', '3', '--out', 'synced/page.html']],
    ['best', 'synced/best.json', ['best', 'run', '--metric', 'test_mse', '--out', 'synced/best.json']],
  ] as const)('would survive a loss of power: %s', async (name, out, args) => {
    for (const flags of ['embed', 'export'].includes(name) ? [[], ['--overwrite']] : [[]]) {
      const record = recordSyncs(scratch(`syncs-of-${name}.json`))
      const { code, stderr } = await eigenae([...args, ...flags], { cwd: scratch(), env: record.env })
      expect(code, stderr).toBe(0)
      expect(record.lost(scratch(out)), flags.join(' ')).toEqual([])
    }
  })

  it('is not removed while it may be the only copy of an export', async () => {
    const [model, other] = ['1', '2'].map((end) => `${'a-long-name-'.repeat(4)}${end}`) as [string, string]
    const former = scratch('beside', leftover(model))
    await mkdir(former, { recursive: true })
    expect((await run('embed', 'run', '--images', '3', '--out', 'beside/z.csv')).code).toBe(0)
    expect(await readdir(scratch('beside'))).toContain(leftover(model))
    const exported = ['export', 'run', '--format', 'onnx', '--out']
    expect((await run(...exported, `beside/${other}`)).code).toBe(0)
    expect(await readdir(scratch('beside'))).toContain(leftover(model))
    expect((await run(...exported, `beside/${model}`)).code).toBe(0)
    expect((await readdir(scratch('beside'))).sort()).toEqual([model, other, 'z.csv'])
  })
})

describe('a link inside a run folder', () => {
  it.each([
    ['checkpoint', 'folder'],
    ['plots', 'folder'],
    ['metrics.csv', 'file'],
    ['train.log', 'file'],
    ['.lock', 'file'],
  ] as const)('to a %s elsewhere is refused, and nothing is written there', async (name, kind) => {
    const folder = await copyOfRun(`linked-${name}`)
    const victim = scratch(`victim-of-${name}`)
    if (kind === 'folder') await mkdir(victim)
    else await writeFile(victim, 'mine')
    await rm(scratch(folder, name), { recursive: true, force: true })
    await symlink(victim, scratch(folder, name))
    const { code, stderr } = await trainIn(folder, '--overwrite')
    expect(stderr).toContain(`${scratch(folder, name)}: is a link, and eigenae writes through no link`)
    expect(code).toBe(2)
    if (kind === 'folder') expect(await readdir(victim)).toEqual([])
    else expect(await readFile(victim, 'utf8')).toBe('mine')
  })

  it('is refused by plot, and by a sweep for its log', async () => {
    const folder = await copyOfRun('plotted')
    await mkdir(scratch('elsewhere'))
    await rm(scratch(folder, 'plots'), { recursive: true, force: true })
    await symlink(scratch('elsewhere'), scratch(folder, 'plots'))
    const drawn = await run('plot', folder)
    expect(drawn.stderr).toContain('plotted/plots: is a link')
    expect(drawn.code).toBe(2)
    expect(await readdir(scratch('elsewhere'))).toEqual([])

    await writeFile(scratch('victim'), 'mine')
    await mkdir(scratch('s/a/seed-0'), { recursive: true })
    await symlink(scratch('victim'), scratch('s/a/seed-0/train.log'))
    await writeFile(
      scratch('sweep.json'),
      JSON.stringify({ name: 's', variants: { a: `${configs}/baseline.json` } }),
    )
    const plan = { format: 'eigenae-sweep-1', name: 's', runs: [] }
    await writeFile(scratch('s/sweep.json'), JSON.stringify(plan))
    const sweep = ['sweep', '--config', 'sweep.json', '--out', 's', '--resume', '--retries', '0']
    const swept = await run(...sweep)
    expect(swept.stderr).toContain('train.log: cannot write: is a link')
    expect(swept.code).toBe(1)
    expect(await readFile(scratch('victim'), 'utf8')).toBe('mine')
  })

  it('is refused inside the folder of an export for TensorBoard', async () => {
    await mkdir(scratch('runs/arm/seed-0'), { recursive: true })
    await cp(scratch('run'), scratch('runs/arm/seed-0'), { recursive: true })
    await mkdir(scratch('board'))
    await mkdir(scratch('victim-of-export'))
    await symlink(scratch('victim-of-export'), scratch('board/arm'))
    const args = ['export', 'runs', '--format', 'tensorboard', '--out', 'board', '--overwrite']
    const { code, stderr } = await run(...args)
    expect(stderr).toContain('board/arm: is a link, and eigenae writes through no link')
    expect(code).toBe(2)
    expect(await readdir(scratch('victim-of-export'))).toEqual([])
  })

  it('may be the run folder itself', async () => {
    await mkdir(scratch('other-disk'))
    await symlink(scratch('other-disk'), scratch('linked-run'))
    expect((await trainIn('linked-run')).code).toBe(0)
    expect(await readdir(scratch('other-disk'))).toContain('model.safetensors')
  })
})

describe('a file that never ends', () => {
  const files = [
    'config.json',
    'run.json',
    'metrics.csv',
    'spectrum.csv',
    'evaluation.json',
    'model.safetensors',
  ]
  const kinds = { FIFO: (file: string) => spawnSync('mkfifo', [file]), '/dev/zero': zero }
  async function zero(file: string): Promise<void> {
    await symlink('/dev/zero', file)
  }

  it.each(['FIFO', '/dev/zero'] as const)(
    'is refused in place of any file of a run: %s',
    { timeout: 120_000 },
    async (kind) => {
      const outcomes = files.map(async (name) => {
        const folder = await copyOfRun(`${kind === 'FIFO' ? 'fifo' : 'zero'}-${name}`)
        await unlink(scratch(folder, name))
        await kinds[kind](scratch(folder, name))
        const reader = name === 'model.safetensors' ? ['plot'] : name === 'run.json' ? ['runs'] : ['compare']
        return [name, await run(...reader, folder)] as const
      })
      for (const [name, { code, stderr }] of await Promise.all(outcomes)) {
        expect(stderr, name).toMatch(new RegExp(`${name}:? is not a regular file`))
        expect(code, name).not.toBe(0)
      }
    },
  )

  it('is refused in place of the lock, the log, the checkpoint and the tables of a run', async () => {
    for (const name of ['.lock', 'train.log', 'metrics.csv', 'checkpoint/state.safetensors']) {
      const folder = await copyOfRun(`fifo-in-${name.replace('/', '-')}`)
      await rm(scratch(folder, name), { force: true })
      spawnSync('mkfifo', [scratch(folder, name)])
      const { code, stderr } = await trainIn(folder, '--overwrite')
      expect(stderr, name).toContain(`${name}: is not a regular file`)
      expect(code, name).toBe(2)
    }
  })

  it('is refused in place of a sweep, its plan and its runs', async () => {
    const sweep = { name: 't', variants: { a: `${configs}/baseline.json` } }
    await writeFile(scratch('t.json'), JSON.stringify(sweep))
    await mkdir(scratch('t/a/seed-0'), { recursive: true })
    spawnSync('mkfifo', [scratch('t/sweep.json')])
    const again = () => run('sweep', '--config', 't.json', '--out', 't', '--resume')
    expect((await again()).stderr).toMatch(/t\/sweep\.json:? is not a regular file/)
    await rm(scratch('t/sweep.json'))
    spawnSync('mkfifo', [scratch('t/a/seed-0/config.json')])
    await writeFile(
      scratch('t/sweep.json'),
      JSON.stringify({ format: 'eigenae-sweep-1', name: 't', runs: [] }),
    )
    expect((await again()).stderr).toMatch(/config\.json:? is not a regular file/)
  })

  it('is refused as a config if it does not end, but a pipe is read', async () => {
    const zeros = await eigenae(['train', '--config', '/dev/zero', '--out', scratch('none')])
    expect(zeros.stderr).toContain('/dev/zero: has more than 16 MiB')
    expect(zeros.code).toBe(2)
    spawnSync('mkfifo', [scratch('pipe')])
    const args = ['train', '--config', scratch('pipe'), '--out', scratch('piped')]
    const piped = start([...args, ...settings.flatMap((each) => ['--set', each])])
    await appendFile(scratch('pipe'), await readFile(`${configs}/baseline.json`))
    expect((await piped.finished).code).toBe(0)
    expect(existsSync(scratch('none'))).toBe(false)
  })
})

describe('the lock of another machine', () => {
  const foreign = JSON.stringify({ pid: 1, host: 'elsewhere', space: 'elsewhere 1', born: '1' })
  /** Shifts the clock of this process by the given number of minutes. */
  const withClock = (minutes: number, args: readonly string[]) => {
    const shift = `const now = Date.now; Date.now = () => now() + ${minutes * 60_000}`
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(shift)}`
    return eigenae(args, { cwd: scratch(), env: { NODE_OPTIONS } })
  }

  it('is looked at without writing beside it', async () => {
    const folder = await copyOfRun('foreign')
    sealRun(scratch(folder), { status: 'running' })
    const lock = scratch(folder, '.lock')
    await writeFile(lock, foreign)
    const { mtimeMs } = await stat(scratch(folder))
    expect((await run('runs', folder)).stdout).toContain(' running ')
    expect((await run('watch', folder, '--terminal')).stdout).toContain('running')
    const silentSince = new Date(Date.now() - 5 * 60_000)
    await utimes(lock, silentSince, silentSince)
    // A process that saw an earlier time would take the new one as a renewal.
    const { stdout } = await start(['runs', folder], { cwd: scratch() }).finished
    expect(stdout).toContain(' interrupted ')
    expect((await stat(scratch(folder))).mtimeMs).toBe(mtimeMs)
  })

  it.each([10, -10])(
    'is taken over by the times of files, not by a clock that is wrong by %i minutes',
    async (minutes) => {
      const folder = await copyOfRun(`foreign${minutes}`)
      const lock = scratch(folder, '.lock')
      await writeFile(lock, foreign)
      const silentSince = new Date(Date.now() - 5 * 60_000)
      await utimes(lock, silentSince, silentSince)
      const train = [...trainArgs('baseline.json', scratch(folder), ...settings), '--overwrite']
      expect((await withClock(minutes, train)).code).toBe(0)
      await writeFile(lock, foreign)
      const refused = await withClock(minutes, train)
      expect(refused.stderr).toContain('process 1 on elsewhere is writing into this folder')
      expect(refused.code).toBe(1)
    },
  )
})

describe('a full quota', () => {
  it('is reported, although Node does not know the error', async () => {
    // The first write of a file fails with the kernel's error number.
    const shim = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
      fs.promises.open = async () => { throw Object.assign(new Error('Unknown system error -122'),
        { errno: -122, code: 'Unknown system error -122', syscall: 'open' }) }
      syncBuiltinESMExports()`
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(shim)}`
    const { code, stderr } = await eigenae(['plot', 'run', '--out', 'quota'], {
      cwd: scratch(),
      env: { NODE_OPTIONS },
    })
    expect(stderr).toContain('disk quota exceeded\nFree some space')
    expect(code).toBe(1)
  })
})

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { isLocked } from '../src/files/lock.js'
import { pidNamespace } from '../src/files/processes.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'

const scratch = scratchFolder()
const small = ['data.limit=200', 'train.epochs=1']
const holder = { pid: process.pid, host: hostname(), space: pidNamespace(), born: '1' }
const program = join(import.meta.dirname, 'support/take-locks.mjs')

/** Starts a process that holds a lock until its standard input ends. */
async function hold(
  name: string,
  options: { readonly node?: readonly string[]; readonly renewOften?: boolean } = {},
): Promise<ChildProcess> {
  await mkdir(scratch(name))
  const holding = [join(import.meta.dirname, 'support/hold-lock.mjs'), scratch(name, '.lock')]
  const flags = options.renewOften ? ['--renew-often'] : []
  const child = execFile(process.execPath, [...(options.node ?? []), ...holding, ...flags])
  await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')])
  return child
}

/** Starts a process that tries to take locks at the same times as others. */
async function readyTaker(locks: readonly string[]) {
  const { stdin, stdout } = spawn(process.execPath, [program, ...locks], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  return {
    take: async (start: number) => {
      stdin.write(`${start}\n`)
      const taken: string[] = []
      for (let line = await lines.next(); line.value !== 'done'; line = await lines.next()) {
        if (line.done === true) throw new Error('a taker of locks has ended')
        taken.push(line.value)
      }
      return taken
    },
    end: () => stdin.end(),
  }
}

describe('the lock of a folder', () => {
  it('is taken by one of several processes that find it stale at the same moment', async () => {
    const places = Array.from({ length: 40 }, (_, index) => scratch(`left-${index}`))
    const leftBehind = JSON.stringify({ ...holder, pid: 2 ** 22 + 1 })
    for (const folder of places) {
      await mkdir(folder)
      await writeFile(join(folder, '.lock'), leftBehind)
    }
    const locks = places.map((folder) => join(folder, '.lock'))
    const takers = await Promise.all(Array.from({ length: 4 }, () => readyTaker(locks)))
    const start = Date.now() + 100
    const taken = await Promise.all(takers.map((taker) => taker.take(start)))
    for (const taker of takers) taker.end()
    expect(taken.flat().sort()).toEqual([...locks].sort())
  })

  it('is kept on release if another process has taken it over', async () => {
    const holder = await hold('overtaken')
    await writeFile(scratch('overtaken', '.lock'), 'of another')
    holder.stdin!.end()
    expect(await once(holder, 'exit')).toEqual([0, null])
    expect(await readFile(scratch('overtaken', '.lock'), 'utf8')).toBe('of another')
  })

  it('does not hang its process if a FIFO takes its place', async () => {
    const holder = await hold('piped', { renewOften: true })
    execFileSync('mkfifo', [scratch('piped', 'fifo')])
    await rename(scratch('piped', 'fifo'), scratch('piped', '.lock'))
    holder.stdin!.end()
    expect(await once(holder, 'exit')).toEqual([0, null])
    expect(await readdir(scratch('piped'))).toEqual(['.lock'])
  })

  it('has its content on the disk before it appears', async () => {
    // Links only files that were synced.
    const shim = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
      const { open, link } = fs.promises
      const synced = new Set()
      fs.promises.open = async (file, ...rest) => {
        const handle = await open(file, ...rest)
        const datasync = handle.datasync.bind(handle)
        return Object.assign(handle, { datasync: () => datasync().then(() => synced.add(file)) })
      }
      fs.promises.link = (from, to) => {
        if (!synced.has(from)) throw new Error('the file was not synced')
        return link(from, to)
      }
      syncBuiltinESMExports()`
    const holder = await hold('synced', {
      node: ['--import', `data:text/javascript,${encodeURIComponent(shim)}`],
    })
    holder.stdin!.end()
    expect(await once(holder, 'exit')).toEqual([0, null])
  })

  it('of another machine is seen to be renewed, whatever the clocks', async () => {
    const lock = scratch('.lock')
    await writeFile(lock, JSON.stringify({ ...holder, space: 'of another machine' }))
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 600_000)
    expect(await isLocked(lock)).toBe(false)
    await utimes(lock, new Date(), new Date(2000, 0))
    expect(await isLocked(lock)).toBe(true)
    now.mockRestore()
    const later = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 61_000)
    expect(await isLocked(lock)).toBe(false)
    later.mockRestore()
  })

  it('ends the process if it has disappeared', async () => {
    const holder = await hold('gone', { renewOften: true })
    const ended = Promise.all([once(holder, 'exit'), text(holder.stderr!)])
    await rm(scratch('gone', '.lock'))
    const [[code], stderr] = await ended
    expect(stderr).toContain('this process has lost its lock')
    expect(code).toBe(1)
  })

  it('holds if its process runs in another container, with other process numbers', async () => {
    await mkdir(scratch('contained'))
    const lock = { ...holder, pid: 2 ** 22 + 1, space: 'of a container' }
    await writeFile(scratch('contained', '.lock'), JSON.stringify(lock))
    const { code, stderr } = await eigenae([
      ...trainArgs('baseline.json', scratch('contained'), ...small),
      '--resume',
    ])
    expect(stderr).toContain(
      `process ${lock.pid} in another container or before a restart of this machine is writing into this folder`,
    )
    expect(code).toBe(1)
  })

  it('holds if another version wrote it, until a minute after the last renewal', async () => {
    await mkdir(scratch('newer'))
    await writeFile(scratch('newer', '.lock'), '{"format":2}')
    const { code, stderr } = await eigenae([
      ...trainArgs('baseline.json', scratch('newer'), ...small),
      '--resume',
    ])
    expect(stderr).toContain('.lock: another process is writing into this folder')
    expect(code).toBe(1)
  })
})

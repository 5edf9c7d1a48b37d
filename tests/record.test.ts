import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { selectEngine } from '../src/engines/select.js'
import { repositoryState } from '../src/runs/facts.js'
import { eigenae, scratchFolder, start, trainArgs } from './support/cli.js'
import { dataFolder } from './support/idx.js'
import { sealRun } from './support/seal.js'
import { readJson, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const selected = await selectEngine('auto')
const project = join(import.meta.dirname, '..')
const small = ['data.source=data', 'model.widths=[784,6]', 'train.epochs=1']

function git(folder: string, ...args: readonly string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@localhost']
  return execFileSync('git', ['-C', folder, ...identity, ...args], { encoding: 'utf8' }).trim()
}

/** Returns null values if the project was unpacked without its repository. */
function stateOf(folder: string) {
  if (!existsSync(join(folder, '.git'))) return { commit: null, dirty: null }
  const changes = git(folder, 'status', '--porcelain', '--untracked-files=no')
  return { commit: git(folder, 'rev-parse', 'HEAD'), dirty: changes !== '' }
}

describe('run.json records the code', () => {
  const home = scratch('repository')
  beforeAll(() => {
    dataFolder(join(home, 'data'))
    git(home, 'init', '-q')
    writeFileSync(join(home, 'notes.txt'), 'first')
    git(home, 'add', 'notes.txt')
    git(home, 'commit', '-q', '-m', 'first')
  })

  const trained = async (name: string) => {
    const args = trainArgs('baseline.json', join(home, name), ...small)
    expect((await start(args, { cwd: home }).finished).code).toBe(0)
    return readJson(join(home, name, 'run.json'))
  }

  it('by the commit of the working folder, and whether it was modified', async () => {
    const commit = git(home, 'rev-parse', 'HEAD')
    expect(await trained('clean')).toMatchObject({ gitCommit: commit, gitDirty: false })
    writeFileSync(join(home, 'notes.txt'), 'second')
    expect(await trained('modified')).toMatchObject({ gitCommit: commit, gitDirty: true })
  })

  it("by eigenae's own commit, whatever the working folder", async () => {
    const { eigenae: own, versions } = await trained('own')
    expect(own).toEqual(stateOf(project))
    expect(versions.eigenae).toMatch(/^\d/)
  })

  it('by the command line and its working folder', async () => {
    const { command } = await trained('commanded')
    expect(command).toEqual({
      words: ['eigenae', ...trainArgs('baseline.json', join(home, 'commanded'), ...small)],
      folder: home,
    })
  })

  it('without running a program that the repository or a submodule names', async () => {
    const ran = scratch('ran')
    const program = `sh -c 'echo ran >> ${ran}; cat'`
    const hostile = scratch('hostile')
    dataFolder(join(hostile, 'data'))
    mkdirSync(join(hostile, 'inner'))
    for (const folder of [join(hostile, 'inner'), hostile]) {
      git(folder, 'init', '-q')
      writeFileSync(join(folder, '.gitattributes'), '* filter=theirs diff=theirs\n')
      writeFileSync(join(folder, 'notes.txt'), 'first')
      git(folder, 'add', '.gitattributes', 'notes.txt')
      git(folder, 'commit', '-q', '-m', 'first')
      // The size is the same and the time another, so that git has to compare the contents.
      writeFileSync(join(folder, 'notes.txt'), 'other')
    }
    git(hostile, '-c', 'advice.addEmbeddedRepo=false', 'add', 'inner')
    git(hostile, 'commit', '-q', '-m', 'submodule')
    for (const folder of [join(hostile, 'inner'), hostile]) {
      for (const key of [
        'filter.theirs.clean',
        'filter.theirs.process',
        'diff.theirs.textconv',
        'diff.external',
      ])
        git(folder, 'config', key, program)
      git(folder, 'config', 'core.fsmonitor', `echo ran >> ${ran}; false`)
      git(folder, 'config', 'alias.status', `!${program}`)
      git(folder, 'config', 'include.path', 'hooks/more')
    }
    const worktree = scratch('worktree')
    mkdirSync(worktree)
    writeFileSync(join(worktree, '.git'), `gitdir: ${hostile}/.git\n`)
    rmSync(ran, { force: true })
    const commit = git(hostile, 'rev-parse', 'HEAD')
    expect(await repositoryState(hostile)).toEqual({ commit, dirty: true })
    expect(await repositoryState(worktree)).toEqual({ commit, dirty: true })
    expect(existsSync(ran)).toBe(false)
    writeFileSync(join(hostile, 'notes.txt'), 'first')
    expect(await repositoryState(hostile)).toEqual({ commit, dirty: false })
    expect(existsSync(ran)).toBe(false)
  })

  it('of a linked working tree and of packed branches too', async () => {
    git(home, 'stash', '-q')
    git(home, 'worktree', 'add', '-q', '-b', 'second', scratch('linked'))
    git(home, 'pack-refs', '--all')
    const commit = git(home, 'rev-parse', 'HEAD')
    expect(await repositoryState(scratch('linked'))).toEqual({ commit, dirty: false })
    writeFileSync(scratch('linked/notes.txt'), 'third')
    mkdirSync(scratch('linked/inner'))
    expect(await repositoryState(scratch('linked/inner'))).toEqual({ commit, dirty: true })
  })

  it('not at all outside a repository', async () => {
    mkdirSync(scratch('outside'))
    dataFolder(scratch('outside/data'))
    const args = trainArgs('baseline.json', 'run', ...small)
    expect(
      (await eigenae(args, { cwd: scratch('outside'), env: { GIT_CEILING_DIRECTORIES: scratch() } })).code,
    ).toBe(0)
    expect(readJson(scratch('outside/run/run.json'))).toMatchObject({ gitCommit: null, gitDirty: null })
  })
})

describe('run.json records the machine', () => {
  it('by its processor, its system, the origin of the engine and the memory used', async () => {
    dataFolder(scratch('machine/data'))
    const out = scratch('machine/run')
    expect((await eigenae(trainArgs('baseline.json', out, ...small), { cwd: scratch('machine') })).code).toBe(
      0,
    )
    const { cpu, system, engine, peakMemoryBytes } = readJson(join(out, 'run.json'))
    expect(cpu).toEqual({ model: cpus()[0]!.model.trim() || null, cores: availableParallelism() })
    expect(system).toEqual({ type: type(), release: release(), arch: arch() })
    expect(engine.origin).toBe(selected.engine.origin)
    // A process of Node takes at least 20 MiB.
    expect(peakMemoryBytes).toBeGreaterThan(20 << 20)
    expect(peakMemoryBytes).toBeLessThan(totalmem())
  })
})

describe('a run on data with a relative path', () => {
  const home = scratch('home')
  const elsewhere = scratch('elsewhere')
  const args = [...trainArgs('baseline.json', join(home, 'run'), ...small), '--epochs', '1']
  beforeAll(async () => {
    dataFolder(join(home, 'data'))
    mkdirSync(elsewhere)
    expect((await eigenae(args, { cwd: home })).code).toBe(0)
  })

  it('has the path as the user wrote it in config.json, and the absolute path in run.json', () => {
    expect(readJson(join(home, 'run/config.json')).data.source).toBe('data')
    expect(readJson(join(home, 'run/run.json')).dataSource).toBe(join(home, 'data'))
  })

  it.each([
    ['eval', ['eval', '../home/run', '--json']],
    ['embed', ['embed', '../home/run', '--out', 'z.csv']],
    ['explore', ['explore', '../home/run', '--out', 'page.html']],
    ['plot', ['plot', '../home/run', '--out', 'pictures']],
  ])('can be used by %s from another folder', async (_command, command) => {
    const { code, stderr } = await eigenae(command, { cwd: elsewhere })
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('no such data file')])
  })

  it('is resumed from another folder, on the same data', async () => {
    const record = join(home, 'run/run.json')
    sealRun(join(home, 'run'), { status: 'interrupted' })
    const resumed = await eigenae([...args, '--resume'], { cwd: elsewhere })
    expect([resumed.code, resumed.stderr]).toEqual([0, expect.stringContaining('resuming after epoch 1')])
    expect(readJson(record).dataSource).toBe(join(home, 'data'))
  })

  it("falls back to the config's path if the data was moved or an older version recorded no path", async () => {
    renameSync(join(home, 'data'), join(elsewhere, 'data'))
    expect((await eigenae(['eval', '../home/run'], { cwd: elsewhere })).code).toBe(0)
    const lost = await eigenae(['eval', 'run'], { cwd: home })
    expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining('no such data file')])
    const record = join(home, 'run/run.json')
    const { dataSource: _, gitDirty: __, eigenae: ___, ...old } = readJson(record)
    writeJson(record, old)
    sealRun(join(home, 'run'))
    expect((await eigenae(['eval', '../home/run'], { cwd: elsewhere })).code).toBe(0)
  })
})

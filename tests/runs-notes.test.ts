import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { addTags } from '../src/commands/runs.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { writeRun } from './support/run-folder.js'
import { readJson, tinyConfigs } from './support/sweeps.js'

const scratch = scratchFolder()
const run = (...args: readonly string[]) => eigenae(args, { cwd: scratch() })
const listed = async (...args: readonly string[]) =>
  JSON.parse((await run('runs', ...args, '--json')).stdout).map(({ folder }: { folder: string }) => folder)

const train = (out: string, ...more: readonly string[]) =>
  run('train', '--config', 'none.json', '--out', out, ...more)

beforeAll(async () => {
  tinyConfigs(scratch(), 1)
  await train('trained')
})

describe('eigenae runs tag and untag', () => {
  beforeAll(() => {
    for (const seed of [0, 1, 2]) writeRun(scratch('tagged', 'arm', `seed-${seed}`), { seed })
  })

  it('keep tags in the folder of the run, each once', async () => {
    const added = await run('runs', 'tag', 'tagged/arm/seed-0', 'good', 'figure-2', 'good')
    expect([added.code, added.stderr]).toEqual([0, 'tagged/arm/seed-0: tags good, figure-2\n'])
    expect(readJson(scratch('tagged/arm/seed-0/notes.json'))).toEqual({
      format: 'eigenae-notes-1',
      tags: ['good', 'figure-2'],
      note: '',
    })
    const removed = await run('runs', 'untag', 'tagged/arm/seed-0', 'figure-2', 'never-there')
    expect(removed.stderr).toBe('tagged/arm/seed-0: tags good\n')
  })

  it('lose none if several commands add tags at once', async () => {
    writeRun(scratch('at-once'))
    const words = Array.from({ length: 8 }, (_, index) => `tag-${index}`)
    await Promise.all(words.map((word) => addTags(scratch('at-once'), [word])))
    expect(readJson(scratch('at-once/notes.json')).tags.sort()).toEqual(words)
    expect(readdirSync(scratch('at-once')).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('apply to all runs in a folder', async () => {
    expect((await run('runs', 'tag', 'tagged/arm', 'slow')).stderr).toBe('3 runs changed\n')
    expect(await listed('tagged', '--where', 'tags=slow')).toHaveLength(3)
    await run('runs', 'tag', 'tagged/arm/seed-1', 'old')
    expect((await run('runs', 'tag', 'tagged/arm', 'old')).stderr).toBe('2 of 3 runs changed\n')
    expect((await run('runs', 'untag', 'tagged/arm', 'nope')).stderr).toBe('no run has the tag nope\n')
    expect((await run('runs', 'untag', 'tagged/arm', 'x', 'y')).stderr).toBe('no run has the tags x, y\n')
  })

  it('select runs by a tag, its absence, and the absence of all tags', async () => {
    for (const seed of [0, 1, 2]) writeRun(scratch('chosen', `seed-${seed}`), { seed })
    await run('runs', 'tag', 'chosen/seed-0', 'good')
    await run('runs', 'tag', 'chosen/seed-1', 'good', '7')
    expect(await listed('chosen', '--where', 'tags=good')).toEqual(['chosen/seed-0', 'chosen/seed-1'])
    expect(await listed('chosen', '--where', 'tags=7')).toEqual(['chosen/seed-1'])
    expect(await listed('chosen', '--where', 'tags!=7')).toEqual(['chosen/seed-0', 'chosen/seed-2'])
    expect(await listed('chosen', '--where', 'tags=null')).toEqual(['chosen/seed-2'])
    const ordered = await run('runs', 'chosen', '--where', 'tags<7')
    expect(ordered.stderr).toContain(
      'tags is a list of words; = tests that one is present, != that it is absent',
    )
    expect(ordered.code).toBe(2)
  })

  it('are shown in tables that have some, and as words in CSV', async () => {
    expect((await run('runs', 'chosen')).stdout).toMatch(/^seed-1 .* good, 7$/m)
    const { stdout } = await run('runs', 'chosen', '--csv', '--columns', 'tags')
    expect(stdout).toMatch(/^chosen\/seed-1,.*,good 7$/m)
    expect((await run('runs', 'trained')).stdout).not.toContain('tags')
  })

  it.each(['two words', '-dash', 'a,b', 'x'.repeat(101)])('refuse the tag "%s"', async (word) => {
    const { code, stderr } = await run('runs', 'tag', 'chosen', '--', word)
    expect(stderr).toContain('eigenae: chosen: tag "')
    expect(code).toBe(2)
  })

  it('refuse a folder without runs', async () => {
    const { code, stderr } = await run('runs', 'tag', 'data', 'good')
    expect(stderr).toContain('data: holds no run')
    expect(code).toBe(2)
  })
})

describe('eigenae runs note', () => {
  it('writes, replaces and removes the note, and keeps the tags', async () => {
    writeRun(scratch('noted'))
    await run('runs', 'tag', 'noted', 'good')
    await run('runs', 'note', 'noted', 'an', 'earlier', 'note')
    await run('runs', 'note', 'noted', 'won by 3 %')
    const [first] = JSON.parse((await run('runs', 'noted', '--json')).stdout)
    expect(first).toMatchObject({ tags: ['good'], note: 'won by 3 %' })
    expect((await run('runs', 'noted')).stdout).toMatch(/ good +won by 3 %$/m)
    expect(await listed('noted', '--where', 'note="won by 3 %"')).toEqual(['noted'])
    expect((await run('runs', 'note', 'noted', '--remove')).stderr).toBe('noted: tags good\n')
    const [without] = JSON.parse((await run('runs', 'noted', '--json')).stdout)
    expect(without).toMatchObject({ tags: ['good'], note: null })
    const empty = await run('runs', 'note', 'noted')
    expect(empty.stderr).toContain('noted: the text is missing')
    expect(empty.code).toBe(2)
  })

  it('keeps the notes of single runs in a folder, unless --overwrite replaces them', async () => {
    for (const seed of [0, 1, 2]) writeRun(scratch('several', `seed-${seed}`), { seed })
    const notes = async () =>
      JSON.parse((await run('runs', 'several', '--json')).stdout).map(({ note }: { note: unknown }) => note)
    expect((await run('runs', 'note', 'several', 'first')).code).toBe(0)
    expect((await run('runs', 'note', 'several', 'second')).stderr).toBe('3 runs changed\n')
    await run('runs', 'note', 'several/seed-1', 'my own')
    await run('runs', 'note', 'several/seed-0', '--remove')
    for (const change of [['third'], ['--remove']]) {
      const { code, stderr } = await run('runs', 'note', 'several', ...change)
      expect(stderr).toBe(
        [
          'eigenae: several: 2 of its 3 runs have notes of their own',
          '  several/seed-1: my own',
          '  several/seed-2: second',
          'Name a single run, or replace these notes with --overwrite.',
          '',
        ].join('\n'),
      )
      expect(code).toBe(2)
    }
    expect(await notes()).toEqual([null, 'my own', 'second'])
    await run('runs', 'note', 'several', 'third', '--overwrite')
    expect(await notes()).toEqual(['third', 'third', 'third'])
  })

  it('prints control characters of a note visibly', async () => {
    writeRun(scratch('odd'))
    await run('runs', 'note', 'odd', 'a\x1b[2Jb')
    expect((await run('runs', 'odd')).stdout).toContain('a\\x1b[2Jb')
  })
})

describe('the notes on a run', () => {
  it('change nothing else: the run is intact, and --resume keeps them', async () => {
    cpSync(scratch('trained'), scratch('kept'), { recursive: true })
    await run('runs', 'tag', 'kept', 'good')
    expect((await run('verify', 'kept')).stdout).toBe('kept  ok\n')
    expect((await train('kept', '--resume')).code).toBe(0)
    expect(readJson(scratch('kept/notes.json')).tags).toEqual(['good'])
    const files = readdirSync(scratch('trained')).filter(
      (name) => name.includes('.') && !name.startsWith('.'),
    )
    for (const file of files.filter((name) => name !== 'timings.csv'))
      expect(readFileSync(scratch('kept', file))).toEqual(readFileSync(scratch('trained', file)))
  })

  it('are removed with the run by --overwrite', async () => {
    cpSync(scratch('trained'), scratch('replaced'), { recursive: true })
    await run('runs', 'note', 'replaced', 'of the earlier run')
    writeFileSync(scratch('replaced/mine.txt'), 'mine')
    expect((await train('replaced', '--overwrite', '--seed', '5')).code).toBe(0)
    expect(existsSync(scratch('replaced/notes.json'))).toBe(false)
    expect(existsSync(scratch('replaced/mine.txt'))).toBe(true)
  })

  it('do not damage the run if they are damaged: the run is listed and compared, with a warning', async () => {
    cpSync(scratch('trained'), scratch('hurt'), { recursive: true })
    for (const text of ['root:x:0:0', '{"tags": [', '[]', '{"format": "eigenae-notes-1", "tags": 3}']) {
      writeFileSync(scratch('hurt/notes.json'), text)
      const { code, stdout, stderr } = await run('runs', 'hurt')
      expect(stderr).toMatch(
        /^warning: hurt\/notes\.json: (is not valid JSON|is not the notes file of a run)\n$/,
      )
      expect(stdout).toMatch(/^\. .* completed /m)
      expect(code).toBe(0)
      expect((await run('compare', 'hurt')).stderr).toBe('')
      const verified = await run('verify', 'hurt')
      expect([verified.code, verified.stdout]).toEqual([0, 'hurt  ok\n'])
      expect(verified.stderr).toMatch(/^hurt: notes\.json /)
    }
    const tagged = await run('runs', 'tag', 'hurt', 'good')
    expect(tagged.stderr).toContain('hurt/notes.json: is not the notes file of a run\nRemove it')
    writeFileSync(scratch('hurt/notes.json'), 'root:x:0:0')
    const again = await run('runs', 'tag', 'hurt', 'good')
    expect(again.stderr).toContain('hurt/notes.json: is not valid JSON\nRemove it')
    expect([tagged.code, again.code]).toEqual([1, 1])
  })
})

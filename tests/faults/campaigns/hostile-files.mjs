import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { eigenae, isCrash, summaryOf } from '../core/command.mjs'
import { Server } from '../core/server.mjs'

/** A picture of the notes that is not one. Each makes the file, beside which `secret` lies. */
const pictures = {
  'a FIFO': (file) => execFileSync('mkfifo', [file]),
  'a link to a FIFO': (file) => {
    execFileSync('mkfifo', [`${file}.fifo`])
    symlinkSync(`${file}.fifo`, file)
  },
  'a link to /dev/zero': (file) => symlinkSync('/dev/zero', file),
  'a link to a private file': (file, secret) => symlinkSync(secret, file),
  'a private file': (file, secret) => cpSync(secret, file),
  'a folder': (file) => mkdirSync(file),
  'a file of 3 GB': (file) => {
    writeFileSync(file, '')
    truncateSync(file, 3e9)
  },
  'an empty file': (file) => writeFileSync(file, ''),
}

/** Files of a run folder that are read for more than their bytes. */
const runFiles = {
  'a FIFO': (file) => execFileSync('mkfifo', [file]),
  'a link to /dev/zero': (file) => symlinkSync('/dev/zero', file),
  'a folder': (file) => mkdirSync(file),
  'a file of 3 GB': (file) => {
    writeFileSync(file, '')
    truncateSync(file, 3e9)
  },
  'an empty file': (file) => writeFileSync(file, ''),
}

/**
 * A command reads a file or starts in a folder that an attacker has made: pictures in notes, notes.json and the lock of a run,
 * a run.json and a working folder whose repository names programs. It must end in time, without a crash, without running a
 * program of the folder and without copying a private file.
 */
export const hostileFiles = {
  name: 'hostile-files',
  sample: 9,
  prepare: async (workplace) => {
    const run = await workplace.referenceRun()
    const own = await runWithRelativeData(workplace)
    const servers = [new Server(), new Server()]
    const cases = [
      ...Object.keys(pictures).map((kind) => ['picture', kind]),
      ...['notes.json', '.lock'].flatMap((file) => Object.keys(runFiles).map((kind) => [file, kind])),
      ...Object.keys(repositoryCommands).map((command) => ['repository', command]),
    ]
    const attacks = {
      picture: (folder, kind, slot) => attackNotes(run, folder, kind, servers[slot]),
      'notes.json': (folder, kind, slot) => attackRun(run, folder, 'notes.json', kind, servers[slot]),
      '.lock': (folder, kind, slot) => attackRun(run, folder, '.lock', kind, servers[slot]),
      repository: (folder, command) => attackByRepository(workplace, own, folder, command),
    }
    return {
      tries: cases.length,
      attempt: async (number, _, slot) => {
        const [target, kind] = cases[number % cases.length]
        const folder = workplace.newFolder()
        const { outcome, ended } = await attacks[target](folder, kind, slot)
        rmSync(folder, { recursive: true })
        return { outcome, detail: `${target}, ${kind}: ${ended}` }
      },
      close: () => {
        for (const server of servers) server.close()
      },
    }
  },
}

async function attackNotes(run, folder, kind, server) {
  const secret = join(folder, 'secret')
  const bytes = randomBytes(60)
  writeFileSync(secret, bytes)
  mkdirSync(join(folder, 'notes'))
  pictures[kind](join(folder, 'notes/picture.png'), secret)
  writeFileSync(join(folder, 'notes/notes.md'), '![a picture](picture.png)\n')
  const args = ['compare', run, '--out', 'out', '--notes', 'notes/notes.md']
  const result = await server.call(args, folder)
  const report = join(folder, 'out/report.html')
  if (existsSync(report) && readFileSync(report, 'utf8').includes(bytes.toString('base64')))
    return { outcome: 'exposed', ended: 'the report holds the private file' }
  return judge([result])
}

/** The commands that read, change and lock a run. */
async function attackRun(run, folder, file, kind, server) {
  const copy = join(folder, 'run')
  cpSync(run, copy, { recursive: true })
  rmSync(join(copy, file), { force: true })
  runFiles[kind](join(copy, file))
  const results = []
  const config = join(copy, 'config.json')
  for (const args of [
    ['runs', folder],
    ['runs', 'tag', copy, 'mine'],
    ['compare', copy],
    ['train', '--config', config, '--out', copy, '--resume'],
    ['train', '--config', config, '--out', copy, '--overwrite'],
  ])
    results.push(await server.call(args, folder))
  return judge(results)
}

function judge(results) {
  const ended = results.map(summaryOf).join(' | ')
  if (results.some(({ hung }) => hung)) return { outcome: 'hung', ended }
  if (results.some((each) => isCrash(each) || ![0, 1, 2].includes(each.code)))
    return {
      outcome: 'crashed',
      ended: `${ended} ${results
        .map(({ stderr }) => stderr)
        .join('')
        .slice(0, 600)}`,
    }
  return { outcome: results.every(({ code }) => code === 0) ? 'survived' : 'refused', ended }
}

/** The commands that may look at the repository of a folder: one that run.json names, or with `inside` the working folder. */
const repositoryCommands = {
  reproduce: { args: (run) => ['reproduce', run] },
  'reproduce --run': { args: (run) => ['reproduce', run, '--run'] },
  'reproduce --run in it': { inside: true, args: (run) => ['reproduce', run, '--run'] },
  'train in it': { inside: true, args: (_, { config }) => ['train', '--config', config, '--out', 'out'] },
  'sweep in it': {
    inside: true,
    args: (_, { sweepConfig }) => ['sweep', '--config', sweepConfig, '--out', 'out', '--jobs', '1'],
  },
  'doctor in it': { inside: true, args: () => ['doctor'] },
}

async function attackByRepository(workplace, own, folder, command) {
  const repository = join(folder, 'repository')
  const trace = join(folder, 'trace')
  makeRepository(repository, trace, workplace.path('data'))
  const run = join(folder, 'run')
  cpSync(own, run, { recursive: true })
  seal(run, repository)
  const { args, inside = false } = repositoryCommands[command]
  const result = await eigenae(args(run, workplace), { cwd: inside ? repository : folder })
  if (existsSync(trace))
    return {
      outcome: 'exposed',
      ended: `it ran ${readFileSync(trace, 'utf8').split('\n')[0]}; ${summaryOf(result)}`,
    }
  return judge([result])
}

/**
 * Makes a repository whose configuration names a program wherever git accepts one. A tracked file has another time than in
 * the index, so that `git status` would filter it.
 */
function makeRepository(folder, trace, data) {
  mkdirSync(folder)
  cpSync(data, join(folder, 'data'), { recursive: true })
  const git = (...args) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', '-C', folder, ...args], {
      stdio: 'ignore',
    })
  git('init')
  writeFileSync(join(folder, 'tracked'), 'text\n')
  git('add', 'tracked')
  git('commit', '-m', 'first')
  writeFileSync(join(folder, '.gitattributes'), '* filter=own diff=own\n')
  const program = (name) => `sh -c 'echo ${name} >> ${trace}; cat'`
  for (const [setting, name] of [
    ['filter.own.clean', 'a filter'],
    ['filter.own.smudge', 'a filter'],
    ['filter.own.process', 'a filter'],
    ['core.fsmonitor', 'a file system monitor'],
    ['core.pager', 'a pager'],
    ['diff.external', 'a diff program'],
    ['diff.own.textconv', 'a diff program'],
    ['core.sshCommand', 'ssh'],
  ])
    git('config', setting, program(name))
  utimesSync(join(folder, 'tracked'), 1, 1)
}

/** Trains a run whose data has a relative path, so that its run.json names the folder in which it was started. */
async function runWithRelativeData(workplace) {
  const config = JSON.parse(readFileSync(workplace.config, 'utf8'))
  const file = workplace.path('relative.json')
  writeFileSync(file, JSON.stringify({ ...config, data: { ...config.data, source: 'data' } }))
  const out = workplace.path('relative')
  const args = ['train', '--config', file, '--out', out, '--threads', '1']
  const result = await eigenae(args, { cwd: workplace.folder })
  if (result.code !== 0) throw new Error(result.stderr)
  return out
}

/** Makes a run.json name another folder as the one in which the run was started, with the right checksum. */
function seal(run, folder) {
  const file = join(run, 'run.json')
  const { sha256: _, ...record } = JSON.parse(readFileSync(file, 'utf8'))
  const fields = { ...record, command: { ...record.command, folder }, dataSource: join(folder, 'data') }
  const sha256 = createHash('sha256').update(JSON.stringify(fields)).digest('hex')
  writeFileSync(file, JSON.stringify({ ...fields, sha256 }))
}

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { bin, eigenae, summaryOf } from '../core/command.mjs'
import { cutAfter, cutDuring, mountOptions } from '../core/cuts.mjs'
import { Disk, noDisk } from '../core/disk.mjs'
import { withOperations } from '../core/operations.mjs'
import { treeOf } from '../core/workplace.mjs'

/**
 * The commands that write files for users, each in a folder of its own: `before` are the commands that make the earlier
 * files, `args` is the command that meets the cut, `again` is the one that a user would give after it. `folder`: the files
 * belong together, so that an earlier one beside a new one is an error.
 */
function outputsOf({ runs: [first, second], sweep }) {
  const model = (run) => ['export', run, '--format', 'tfjs', '--out', 'out/model']
  const log = (run) => ['export', run, '--format', 'tensorboard', '--out', 'out/log']
  const embed = (run) => ['embed', run, '--out', 'out/z.npy']
  const replaced = (of) => ({ before: [of(first)], args: [...of(second), '--overwrite'] })
  const best = ['best', sweep, '--metric', 'test_mse', '--out', 'out/best.json']
  return {
    export: { before: [], args: model(first), again: [...model(first), '--overwrite'], folder: 'out/model' },
    'export --overwrite': { ...replaced(model), folder: 'out/model' },
    tensorboard: { ...replaced(log), folder: 'out/log' },
    embed: { before: [], args: embed(first), again: [...embed(first), '--overwrite'] },
    'embed --overwrite': replaced(embed),
    best: { before: [], args: best, again: null },
    explore: {
      before: [['explore', first, '--images', '20', '--out', 'out/page.html']],
      args: ['explore', second, '--images', '20', '--out', 'out/page.html'],
    },
    tag: {
      before: [['runs', 'tag', 'run', 'early']],
      args: ['runs', 'tag', 'run', 'late'],
    },
    'compare --out': {
      before: [['compare', first, '--out', 'out/compared']],
      args: ['compare', sweep, '--out', 'out/compared'],
    },
    plot: {
      before: [['plot', first, '--out', 'out/plots']],
      args: ['plot', second, '--out', 'out/plots'],
    },
  }
}

/**
 * The disk loses its power at an operation of a command that writes files for users, or after its end. If the command has
 * exited with 0, all its files must be there; otherwise each file must be the earlier one or the new one. Repeating the
 * command must give the new files and leave no extra ones.
 */
export const outputCuts = {
  name: 'output-cuts',
  sample: 6,
  missing: (workplace) => noDisk(workplace, 'ext4'),
  prepare: async (workplace) => {
    const sweep = await workplace.referenceSweep()
    const runs = [join(sweep, 'none/seed-0'), join(sweep, 'eigen/seed-0')]
    const outputs = Object.entries(outputsOf({ runs, sweep }))
    const prepared = new Map()
    return {
      tries: 110,
      attempt: async (number, choice) => {
        const [name, output] = outputs[number % outputs.length]
        if (!prepared.has(name)) prepared.set(name, prepare(workplace, output, runs[0]))
        const states = await prepared.get(name)
        const options = choice.of(mountOptions)
        const disk = Disk.ext4(workplace.newFolder(), options)
        cpSync(states.before, disk.folder, { recursive: true })
        execFileSync('sync', ['-f', disk.folder])
        const isDuring = Math.floor(number / outputs.length) % 2 === 0
        const inDisk = { cwd: disk.folder }
        const { result, cutAt } = await (isDuring
          ? cutDuring(workplace, disk, choice, states.operations, disk.folder, output.args, inDisk)
          : cutAfter(workplace, disk, choice, output.args, inDisk))
        await disk.unmount()
        disk.mount()
        const verdict = await verdictOf(output, states, disk.folder, result)
        await disk.unmount()
        return { outcome: verdict.outcome, detail: `${name}, ${options}, cut ${cutAt}; ${verdict.ended}` }
      },
    }
  },
}

/** Makes the files before and after the command, and counts its operations. */
async function prepare(workplace, { before, args }, run) {
  const [first, second] = [workplace.newFolder(), workplace.newFolder()]
  cpSync(run, join(first, 'run'), { recursive: true })
  for (const each of before) await mustWork(each, first)
  cpSync(first, second, { recursive: true })
  const inSecond = { cwd: second }
  const result = await withOperations(workplace, second, {}, process.execPath, [bin, ...args], inSecond)
  if (result.code !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`)
  const { operations } = result
  return { before: first, earlier: filesOf(first), now: filesOf(second), operations }
}

async function mustWork(args, cwd) {
  const result = await eigenae(args, { cwd })
  if (result.code !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`)
}

async function verdictOf(output, states, folder, result) {
  if (result.hung) return { outcome: 'hung', ended: summaryOf(result) }
  const lost = lostFile(output, states, folder, result.code === 0)
  if (lost !== null) return { outcome: 'lost', ended: `after mounting again: ${lost}` }
  const again = output.again === undefined ? output.args : output.again
  if (again === null && existsSync(join(folder, output.args.at(-1))))
    return { outcome: 'survived', ended: 'written' }
  const repeated = await eigenae(again ?? output.args, { cwd: folder })
  if (repeated.code !== 0) return { outcome: 'lost', ended: `repeated: ${summaryOf(repeated)}` }
  const missing = lostFile(output, states, folder, true)
  if (missing !== null) return { outcome: 'lost', ended: `repeated: ${missing}` }
  const extra = treeOf(folder).filter(
    (name) => !/^(lost\+found|neighbour)$/.test(name) && !isWanted(states, name),
  )
  if (extra.length > 0) return { outcome: 'litter', ended: `${extra.join(', ')} was left behind` }
  return { outcome: 'survived', ended: 'the same' }
}

function isWanted({ now }, name) {
  return [...now.keys()].some((file) => file === name || file.startsWith(`${name}/`))
}

/** Returns why the files are not those that a user may expect, null if they are. */
function lostFile({ folder: whole }, states, folder, isReported) {
  if (
    !isReported &&
    whole !== undefined &&
    !existsSync(join(folder, whole)) &&
    isBeside(folder, whole, states)
  )
    return null
  const found = filesOf(folder)
  const kinds = new Map()
  for (const file of new Set([...states.earlier.keys(), ...states.now.keys()])) {
    const kind = kindOf(file, found.get(file), states)
    if (kind === null)
      return `${file} is neither the earlier file nor the new one (${found.get(file)?.length} bytes)`
    if (isReported && kind === 'earlier')
      return `${file} is ${found.has(file) ? 'the earlier file' : 'missing'}`
    kinds.set(file, kind)
  }
  if (whole === undefined) return null
  const together = new Set(
    [...kinds].filter(([file]) => file.startsWith(`${whole}/`)).map(([, kind]) => kind),
  )
  together.delete('both')
  return together.size > 1 ? `${whole} mixes earlier and new files` : null
}

/** A file that exists neither before nor after, or has the same bytes, is of both kinds. */
function kindOf(file, bytes, { earlier, now }) {
  const [isEarlier, isNow] = [earlier, now].map((files) => isSame(bytes, files.get(file)))
  if (isEarlier && isNow) return 'both'
  return isEarlier ? 'earlier' : isNow ? 'new' : null
}

function isSame(bytes, wanted) {
  return bytes === undefined ? wanted === undefined : wanted !== undefined && bytes.equals(wanted)
}

/** The time in a report. */
const timePattern = /\d{4}-\d\d-\d\d \d\d:\d\d UTC/g

/** Returns the contents of all files below a folder but temporary ones, without the times in them. */
function filesOf(folder) {
  const names = treeOf(folder).filter((name) => !/\.eigenae-tmp(\/|$)|^neighbour$/.test(name))
  const files = names.filter((name) => lstatSync(join(folder, name)).isFile())
  return new Map(files.map((name) => [name, withoutTimes(readFileSync(join(folder, name), 'latin1'))]))
}

function withoutTimes(text) {
  return Buffer.from(text.replace(timePattern, ''), 'latin1')
}

/** Returns whether an export that is missing in its place is complete beside it, under a temporary name. */
function isBeside(folder, whole, { earlier }) {
  const wanted = [...earlier].filter(([file]) => file.startsWith(`${whole}/`))
  const parent = join(folder, dirname(whole))
  if (!existsSync(parent)) return false
  const hidden = readdirSync(parent).filter((name) => name.startsWith(`.${basename(whole)}.`))
  return hidden.some((name) => {
    const files = filesOf(join(parent, name))
    return wanted.every(([file, bytes]) => isSame(files.get(basename(file)), bytes))
  })
}

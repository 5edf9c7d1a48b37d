import { createHash } from 'node:crypto'
import { cpSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { eigenae, isCrash, root, startEigenae, summaryOf } from '../core/command.mjs'
import { Server } from '../core/server.mjs'
import { comparedFiles, readIfPresent, treeOf } from '../core/workplace.mjs'
import { kindsFor } from './mutation-kinds.mjs'

const target = 'sweep/eigen/seed-0'
const files = [...comparedFiles, 'run.json', 'timings.csv', 'checkpoint/state.safetensors'].map(
  (name) => `${target}/${name}`,
)

/** The commands that read runs, each with its share of 100 calls. Slow commands have small shares. */
const consumers = {
  runs: { share: 12, args: ['runs', 'sweep'] },
  compare: { share: 14, args: ['compare', 'sweep/none', 'sweep/eigen', '--json'] },
  'compare --out': { share: 4, args: ['compare', 'sweep/none', 'sweep/eigen', '--out', 'out'] },
  plot: { share: 5, args: ['plot', target] },
  'plot of an arm': { share: 3, args: ['plot', 'sweep/eigen'] },
  eval: { share: 10, args: ['eval', target] },
  embed: { share: 10, args: ['embed', target, '--out', 'out/embedding.csv'] },
  export: { share: 10, args: ['export', target, '--format', 'onnx', '--out', 'out'] },
  explore: { share: 6, args: ['explore', target, '--out', 'out/page.html'] },
  'train --resume': {
    share: 14,
    resumes: true,
    args: ['train', '--config', '../eigen.json', '--out', target, '--resume'],
  },
  'sweep --resume': {
    share: 6,
    resumes: true,
    args: ['sweep', '--config', '../pair.json', '--out', 'sweep', '--resume', '--jobs', '1'],
  },
  verify: { share: 12, args: ['verify', 'sweep'] },
}

/** One of this many calls runs in a process of its own. */
const ownProcessEvery = 25

/**
 * A file of a complete or an interrupted run in a sweep is changed, and a command reads it. It must refuse or warn with the
 * name of the file or the run, remake the file with the same bytes, or give the same output as for the unchanged run. Any
 * other output is silently wrong.
 */
export const mutations = {
  name: 'mutations',
  sample: 150,
  prepare: async (workplace) => {
    const bases = await makeBases(workplace)
    const slots = [0, 1].map((slot) => new Slot(workplace.path(`slot-${slot}`), bases))
    const names = await offered()
    return {
      tries: 2400,
      attempt: (number, choice, slot) => slots[slot].attempt(number, choice, names),
      close: () => {
        for (const slot of slots) slot.close()
      },
    }
  },
}

/** Returns the consumers that this version has, each repeated by its share. */
async function offered() {
  const { stdout } = await eigenae(['--help'])
  const isKnown = (name) => new RegExp(`^  ${consumers[name].args[0]} `, 'm').test(stdout)
  return Object.keys(consumers)
    .filter(isKnown)
    .flatMap((name) => Array(consumers[name].share).fill(name))
}

/** Makes a complete sweep of two arms and two seeds, and a copy with one run interrupted after its second epoch. */
async function makeBases(workplace) {
  const config = JSON.parse(readFileSync(workplace.config, 'utf8'))
  const five = { ...config, train: { ...config.train, epochs: 5 } }
  writeFileSync(workplace.path('eigen.json'), JSON.stringify({ ...five, name: 'eigen' }))
  writeFileSync(
    workplace.path('plain.json'),
    JSON.stringify({ ...five, name: 'plain', loss: { eigen: null } }),
  )
  const variants = { none: 'plain.json', eigen: 'eigen.json' }
  writeFileSync(workplace.path('pair.json'), JSON.stringify({ name: 'pair', variants, seeds: [0, 1] }))
  const [complete, interrupted] = ['complete', 'interrupted'].map((name) => workplace.path(name))
  await mustWork([
    'sweep',
    '--config',
    workplace.path('pair.json'),
    '--out',
    join(complete, 'sweep'),
    '--jobs',
    '1',
  ])
  cpSync(complete, interrupted, { recursive: true })
  rmSync(join(interrupted, target), { recursive: true })
  await interruptedRun(workplace, join(interrupted, target))
  return { complete, interrupted }
}

async function mustWork(args) {
  const result = await eigenae(args)
  if (result.code !== 0) throw new Error(`${args.join(' ')}: ${result.stderr}`)
}

/** Interrupts a run that tests/support/hold-run.mjs holds. */
async function interruptedRun(workplace, out) {
  const reached = workplace.path('held')
  const env = {
    NODE_OPTIONS: `--import=${pathToFileURL(join(root, 'tests/support/hold-run.mjs'))}`,
    EIGENAE_TEST_HOLD: JSON.stringify({ epoch: 2, run: '', release: ['SIGINT'], reached }),
  }
  const running = startEigenae(['train', '--config', workplace.path('eigen.json'), '--out', out], { env })
  while (readIfPresent(reached) === null) {
    if (running.child.exitCode !== null) throw new Error('the run ended before it was held')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  running.child.kill('SIGINT')
  const { code, stderr } = await running.ended
  if (code !== 130) throw new Error(`the interrupted run ended with ${code}: ${stderr}`)
}

/** A folder for one try after another, with the output of each command on unchanged runs. */
class Slot {
  #folder
  #bases
  #server = new Server()
  #usual = new Map()

  constructor(folder, bases) {
    this.#folder = folder
    this.#bases = bases
  }

  close() {
    this.#server.close()
  }

  async attempt(number, choice, names) {
    const name = choice.of(names)
    const base = choice.of(Object.keys(this.#bases))
    const usual = await this.#usualOf(name, base)
    this.#restore(base)
    const change = this.#mutate(base, choice)
    const own = number % ownProcessEvery === 0
    const result = await this.#call(name, own)
    const { outcome, why } = this.#judge(name, result, usual, change)
    const detail = `${name} of the ${base} run, ${change.file} ${change.description}: ${why}`
    return { outcome, detail }
  }

  #restore(base) {
    rmSync(this.#folder, { recursive: true, force: true })
    cpSync(this.#bases[base], this.#folder, { recursive: true })
    mkdirSync(join(this.#folder, 'out'))
  }

  #call(name, own) {
    const { args } = consumers[name]
    return own ? eigenae(args, { cwd: this.#folder }) : this.#server.call(args, this.#folder)
  }

  /** Runs the command twice, to find the parts of its output that always differ. */
  async #usualOf(name, base) {
    const key = `${name} ${base}`
    if (!this.#usual.has(key)) this.#usual.set(key, await this.#measure(name, base))
    return this.#usual.get(key)
  }

  async #measure(name, base) {
    const looks = []
    for (let look = 0; look < 2; look++) {
      this.#restore(base)
      const result = await this.#call(name, false)
      if (result.hung || isCrash(result))
        throw new Error(`${name} of the unchanged ${base} run: ${summaryOf(result)}`)
      looks.push({ ...result, written: this.#written() })
    }
    const [first, second] = looks
    const steady = [...first.written].filter(([file, hash]) => second.written.get(file) === hash)
    return { ...first, messages: new Set(linesOf(first).concat(linesOf(second))), written: new Map(steady) }
  }

  /** Returns hashes of the files that commands write outside runs. */
  #written() {
    const made = treeOf(this.#folder).filter((file) => file.startsWith('out/') || file.includes('plots/'))
    return new Map(
      made
        .filter((file) => lstatSync(join(this.#folder, file)).isFile())
        .map((file) => [
          file,
          createHash('sha256')
            .update(readFileSync(join(this.#folder, file)))
            .digest('hex'),
        ]),
    )
  }

  #mutate(base, choice) {
    for (;;) {
      const file = choice.of(choice.chance(0.06) ? ['sweep/sweep.json'] : files)
      if (readIfPresent(join(this.#folder, file)) === null) continue
      const kinds = kindsFor(file)
      const kind = choice.of(Object.keys(kinds))
      const description = kinds[kind](join(this.#folder, file), choice, this.#othersOf(base, file))
      if (description !== null) return { file, description, alike: this.#isAlike(base, file) }
    }
  }

  /** Ignores whitespace in JSON. */
  #isAlike(base, file) {
    if (!file.endsWith('.json')) return false
    try {
      const [now, before] = [this.#folder, this.#bases[base]].map((folder) =>
        JSON.parse(String(readIfPresent(join(folder, file)))),
      )
      return now !== null && isDeepStrictEqual(now, before)
    } catch {
      return false
    }
  }

  #othersOf(base, file) {
    const ifThere = (path) => (readIfPresent(path) === null ? null : path)
    const otherBase = this.#bases[base === 'complete' ? 'interrupted' : 'complete']
    return {
      seed: ifThere(join(this.#folder, file.replace('seed-0', 'seed-1'))),
      moment: ifThere(join(otherBase, file)),
    }
  }

  #judge(name, result, usual, change) {
    if (result.hung) return { outcome: 'hung', why: summaryOf(result) }
    if (isCrash(result)) return { outcome: 'crashed', why: result.stderr.slice(0, 1500) }
    const news = linesOf(result).filter((line) => !usual.messages.has(line))
    const named = news.some((line) => namesOf(change.file).some((part) => line.includes(part)))
    if (result.code !== 0 && result.code !== usual.code)
      return { outcome: named ? 'refused' : 'unnamed', why: summaryOf(result) }
    if (consumers[name].resumes && this.#isWhole()) return { outcome: 'remade', why: 'as it was' }
    if (named || (/damaged/.test(result.stdout) && !/damaged/.test(usual.stdout)))
      return { outcome: 'warned', why: news.join(' | ') }
    if (consumers[name].resumes) return { outcome: 'silent', why: `the run is another, ${summaryOf(result)}` }
    if (name === 'verify' && !change.alike) return { outcome: 'silent', why: 'verify saw nothing' }
    const difference = this.#differenceFrom(result, usual)
    return difference === null ? { outcome: 'harmless', why: '' } : { outcome: 'silent', why: difference }
  }

  /** Whether the run equals an undisturbed one. */
  #isWhole() {
    return comparedFiles.every((file) => {
      const bytes = readIfPresent(join(this.#folder, target, file))
      return bytes?.equals(readFileSync(join(this.#bases.complete, target, file))) === true
    })
  }

  #differenceFrom(result, usual) {
    if (result.stdout !== usual.stdout) return `printed ${firstDifference(result.stdout, usual.stdout)}`
    const written = this.#written()
    const other = [...usual.written].find(([file, hash]) => written.get(file) !== hash)
    return other === undefined ? null : `${other[0]} is another`
  }
}

/** Returns messages, and warnings in JSON, without their numbers, which are times. */
function linesOf({ stdout, stderr }) {
  return [...stderr.split('\n'), ...warningsIn(stdout)].map((line) =>
    line.replace(/\d+(\.\d+)?(e-?\d+)?/g, '#'),
  )
}

function warningsIn(stdout) {
  try {
    return [JSON.parse(stdout).warnings ?? []].flat().map(String)
  } catch {
    return []
  }
}

/** Returns the names by which a message may refer to a file. Messages are compared without numbers. */
function namesOf(file) {
  return [basename(file), ...(file.startsWith(target) ? [target.replace(/\d+/, '#'), 'eigen/seed-#'] : [])]
}

function firstDifference(text, usual) {
  const [lines, wanted] = [text.split('\n'), usual.split('\n')]
  const at = lines.findIndex((line, place) => line !== wanted[place])
  return `${JSON.stringify(lines[at]?.slice(0, 200))} instead of ${JSON.stringify(wanted[at]?.slice(0, 200))}`
}

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { eigenae } from './command.mjs'
import { Choice } from './random.mjs'

/** The files of a run whose bytes do not depend on how often it was killed and resumed. */
export const comparedFiles = [
  'config.json',
  'metrics.csv',
  'spectrum.csv',
  'layers.csv',
  'losses.csv',
  'evaluation.json',
  'model.safetensors',
]

/** A temporary folder for the campaigns, with the data and configs of very short runs. */
export class Workplace {
  folder = mkdtempSync(join(tmpdir(), 'eigenae-faults-'))
  config = this.path('run.json')
  sweepConfig = this.path('sweep.json')
  #folders = 0

  constructor() {
    writeData(this.path('data'))
    const config = {
      name: 'run',
      data: { source: this.path('data') },
      model: { widths: [784, 12, 4] },
      loss: { eigen: { kind: 'top-k', k: 2 } },
      train: { epochs: 3, batchSize: 50 },
    }
    writeFileSync(this.config, JSON.stringify(config))
    writeFileSync(this.path('none.json'), JSON.stringify({ ...config, name: 'none', loss: { eigen: null } }))
    const sweep = { name: 'sweep', variants: { none: 'none.json', eigen: 'run.json' }, seeds: [0, 1] }
    writeFileSync(this.sweepConfig, JSON.stringify(sweep))
  }

  path(...names) {
    return join(this.folder, ...names)
  }

  /** Creates a folder for one try. */
  newFolder() {
    const folder = this.path(`try-${++this.#folders}`)
    mkdirSync(folder)
    return folder
  }

  trainArgs(out, ...more) {
    return ['train', '--config', this.config, '--out', out, '--threads', '1', ...more]
  }

  sweepArgs(out, ...more) {
    return ['sweep', '--config', this.sweepConfig, '--out', out, '--jobs', '1', ...more]
  }

  /** Makes an undisturbed run or sweep, once, and returns its folder. */
  async reference(name, args) {
    const folder = this.path(`reference-${name}`)
    if (existsSync(folder)) return folder
    const result = await eigenae(args(folder))
    if (result.code !== 0) throw new Error(`the undisturbed ${name} failed: ${result.stderr}`)
    return folder
  }

  referenceRun() {
    return this.reference('run', (folder) => this.trainArgs(folder))
  }

  referenceSweep() {
    return this.reference('sweep', (folder) => this.sweepArgs(folder))
  }

  /**
   * The commands of a campaign by name: their arguments, and how their output differs from that of an undisturbed
   * command. Runs the undisturbed ones first.
   */
  async commands() {
    const [run, sweep] = [await this.referenceRun(), await this.referenceSweep()]
    return {
      train: {
        args: (out, ...more) => this.trainArgs(out, ...more),
        difference: (out) => differenceOf(out, run),
      },
      sweep: {
        args: (out, ...more) => this.sweepArgs(out, ...more),
        difference: (out) => sweepDifferenceOf(out, sweep),
      },
    }
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Writes four idx files of blurred strokes, from which a network can learn. */
function writeData(folder) {
  mkdirSync(folder)
  for (const [name, count] of [
    ['train', 200],
    ['t10k', 50],
  ]) {
    const choice = new Choice(name)
    const images = Buffer.alloc(16 + count * 784)
    const labels = Buffer.alloc(8 + count)
    for (const [place, word] of [2051, count, 28, 28].entries()) images.writeUInt32BE(word, 4 * place)
    for (const [place, word] of [2049, count].entries()) labels.writeUInt32BE(word, 4 * place)
    for (let image = 0; image < count; image++) {
      const label = choice.below(10)
      labels[8 + image] = label
      const slope = label / 5 - 1
      for (let pixel = 0; pixel < 784; pixel++) {
        const distance = Math.abs((pixel % 28) - 14 - slope * (Math.floor(pixel / 28) - 14) + choice.below(3))
        images[16 + 784 * image + pixel] = Math.max(0, 255 - 60 * distance)
      }
    }
    writeFileSync(join(folder, `${name}-images-idx3-ubyte`), images)
    writeFileSync(join(folder, `${name}-labels-idx1-ubyte`), labels)
  }
}

/**
 * Returns how a run differs from an undisturbed one: `lost` names a file that is missing or has other bytes, `litter` names
 * extra files. Null if they are the same.
 */
export function differenceOf(run, reference) {
  for (const name of comparedFiles) {
    const [bytes, wanted] = [run, reference].map((folder) => readIfPresent(join(folder, name)))
    if (bytes === null) return { lost: `${name} is missing` }
    if (!bytes.equals(wanted)) return { lost: `${name} has other bytes` }
  }
  if (recordOf(run)?.status !== 'completed') return { lost: 'the status in run.json is not completed' }
  return litterOf(run, reference)
}

/** Returns the same for all runs of a sweep. */
export function sweepDifferenceOf(sweep, reference) {
  for (const run of runsOf(reference)) {
    const difference = differenceOf(join(sweep, run), join(reference, run))
    if (difference?.lost !== undefined) return { lost: `${run}: ${difference.lost}` }
  }
  return litterOf(sweep, reference)
}

/** Ignores locks: the lock of a dead process has no effect, and the next writer of the folder replaces it. */
function litterOf(folder, reference) {
  const wanted = treeOf(reference)
  const left = treeOf(folder).filter((name) => !wanted.includes(name) && basename(name) !== '.lock')
  return left.length === 0 ? null : { litter: `${left.join(', ')} was left behind` }
}

export function runsOf(sweep) {
  return JSON.parse(readFileSync(join(sweep, 'sweep.json'), 'utf8')).runs
}

/** Returns all paths below a folder. */
export function treeOf(folder) {
  return readdirSync(folder, { recursive: true }).sort()
}

export function readIfPresent(file) {
  return existsSync(file) && lstatSync(file).isFile() ? readFileSync(file) : null
}

/** Returns null if run.json is missing or damaged. */
export function recordOf(run) {
  try {
    return JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))
  } catch {
    return null
  }
}

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alignedTable } from '../dist/text/table.js'
import { peersOf } from './peers.mjs'
import { targets } from './targets.mjs'

/** Prints the tables, and writes them to a .md file and every number to a .json file. */
export async function writeReport(results, { out, quick }) {
  const checked = quick ? [] : targets(results)
  const text = [
    heading(results),
    ...results.sections.map(section),
    wholeProcess(results),
    history(results),
    targetTable(checked),
  ]
    .filter((part) => part !== null)
    .map(({ title, table }) => `${title}\n\n${table}`)
    .join('\n\n')
  console.log(text)
  if (out === null) return
  await mkdir(out, { recursive: true })
  const file = join(out, fileName(results))
  await writeFile(`${file}.json`, `${JSON.stringify({ ...results, targets: checked }, null, 2)}\n`)
  await writeFile(`${file}.md`, markdown(text))
  console.error(`${file}.json and .md`)
}

function fileName({ date, commit, machine }) {
  const cpu = machine.cpu.toLowerCase().replace(/\(r\)|\(tm\)|cpu|processor/g, '')
  return [date.slice(0, 10), cpu.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, ''), commit].join('-')
}

function heading({ date, load_before, commit, changed_since_commit, command, rounds, machine }) {
  const rows = [
    ['machine', `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gigabytes} GB, ${machine.system}`],
    ['date', `${date}, load before ${load_before.toFixed(2)}`],
    ['commit', commit + (changed_since_commit ? ', with changes that are not in it' : '')],
    ['command', `${command} (${rounds} rounds, in turns)`],
    ['versions', `Node ${machine.node}, ${machine.compiler}`],
    ['FMA peak', peakText(machine)],
    ['norm passes', passesText(machine)],
    [
      'floor',
      'all products of the linear layers at this peak, also those with a zero, which eigenae leaves out, and the norm passes',
    ],
    [
      'cache line',
      `${machine.cache_line_nanoseconds_from_first_core.join(', ')} ns from the first core to the others`,
    ],
  ]
  return { title: 'Benchmark', table: alignedTable(rows, ['left', 'left']) }
}

function peakText({ instruction_set, peak_gigaflops_of_each_core: cores, peak_gigaflops_of_all_cores: all }) {
  return `${all.toFixed(0)} GFLOP/s on all cores, alone ${cores.map((core) => core.toFixed(0)).join(', ')} (${instruction_set})`
}

function passesText({ norm_passes_gigavalues: { one, all } }) {
  const billions = (value) => value.toFixed(1)
  return `${billions(all)} billion values a second on all cores, ${billions(one)} on one: read for statistics, then read and written`
}

const columns = [
  ['job', 'left', ({ name }) => name],
  ['batch', 'right', ({ batch_size }) => String(batch_size)],
  ['threads', 'right', ({ threads }) => String(threads)],
  ['seconds', 'right', (each) => each.median.toFixed(3)],
  ['min–max', 'right', ({ min, max }) => `${min.toFixed(3)}–${max.toFixed(3)}`],
  ['images/s', 'right', ({ images_per_second }) => Math.round(images_per_second).toLocaleString('en-US')],
  ['× floor', 'right', ({ times_floor }) => times_floor.toFixed(2)],
]
const factColumns = [
  ['× better peer', 'right', (each, all) => againstPeers(each, all)],
  ['loss', 'right', ({ facts }) => facts.loss.toFixed(4)],
  ['test MSE', 'right', ({ facts }) => facts.test_mse.toFixed(4)],
]

const sweepColumns = [
  [
    'runs/hour',
    'right',
    ({ epochs, median }) => Math.round((3600 * epochs) / median).toLocaleString('en-US'),
  ],
  ['in epochs', 'right', ({ facts }) => percent(facts.share_in_epochs)],
  ['beside them a run', 'right', ({ facts }) => milliseconds(facts.milliseconds_beside_epochs)],
]
const percent = (share) => (share === undefined ? '–' : `${(100 * share).toFixed(0)} %`)
const milliseconds = (value) => (value === undefined ? '–' : `${value.toFixed(0)} ms`)

/** The floor is that of an epoch on the processor. */
function columnsOf(name) {
  const withoutFloor = columns.filter(([head]) => head !== '× floor')
  if (name === 'cuda') return withoutFloor
  if (name === 'sweeps') return [...withoutFloor, ...sweepColumns]
  return name === 'peers' ? [...columns, ...factColumns] : columns
}

function section({ name, title, measurements }) {
  const shown = columnsOf(name)
  const rows = measurements.map((each) => shown.map(([, , cell]) => cell(each, measurements)))
  const alignments = shown.map(([, alignment]) => alignment)
  return {
    title,
    table: alignedTable(
      rows,
      alignments,
      shown.map(([head]) => head),
    ),
  }
}

/** Returns the speed relative to the faster peer at the same job. */
function againstPeers(ours, all) {
  const peers = peersOf(ours, all)
  if (!ours.name.startsWith('eigenae') || peers.length === 0) return '–'
  return (Math.min(...peers.map((peer) => peer.median)) / ours.median).toFixed(2)
}

function wholeProcess({ process: whole }) {
  if (whole === undefined) return null
  const rows = [
    ['from start to exit', `${whole.seconds.toFixed(2)} s`],
    ['in the epochs', `${whole.train_seconds.toFixed(2)} s`],
    ['beside them', `${(whole.seconds - whole.train_seconds).toFixed(2)} s`],
    [
      'most memory',
      whole.peak_memory_megabytes === null ? '–' : `${whole.peak_memory_megabytes.toFixed(0)} MB`,
    ],
  ]
  return { title: `The whole command: ${whole.command}`, table: alignedTable(rows, ['left', 'right']) }
}

function history({ history: found }) {
  if (found === undefined) return null
  const rows = [
    ['an epoch', found.epoch_ratio],
    ['the best epoch', found.best_epoch_ratio],
    ['the whole command', found.process_ratio],
  ].map(([what, ratio]) => [what, ratio.toFixed(3)])
  const title = `Times of this build as multiples of those of ${found.against}, ${found.epochs} epochs of the eigen arm`
  return { title, table: alignedTable(rows, ['left', 'right']) }
}

function targetTable(checked) {
  if (checked.length === 0) return null
  const rows = checked.map(({ what, limit, measured, met }) => [
    what,
    limit,
    measured,
    met ? 'met' : 'NOT MET',
  ])
  const header = ['target', 'limit', 'measured', '']
  return { title: 'Targets', table: alignedTable(rows, ['left', 'right', 'right', 'left'], header) }
}

function markdown(text) {
  return text
    .split('\n\n')
    .map((block, place) => (place % 2 === 0 ? `## ${block}` : `\`\`\`text\n${block}\n\`\`\``))
    .join('\n\n')
    .concat('\n')
}

// Measures this project, its peers and the machine in one run: npm run bench -- --help

import { cudaSection } from './cuda/section.mjs'
import { measureHistory } from './history.mjs'
import { compileMachine, machineFacts } from './machine.mjs'
import { readOptions } from './options.mjs'
import { ourSections } from './ours.mjs'
import { peerContenders } from './peers.mjs'
import { measureWholeProcess } from './process.mjs'
import { writeReport } from './report.mjs'
import { sweepSection } from './sweeps.mjs'
import { measureInTurns } from './turns.mjs'

const options = readOptions()
const machine = await compileMachine()
const results = { ...(await machineFacts(machine)), command: options.command, rounds: options.rounds }
say(`${results.machine.cpu}, ${results.machine.cores} cores, ${results.machine.instruction_set}`)
if (results.load_before > 0.5)
  say(`the machine is busy (load ${results.load_before.toFixed(1)}): do not trust the numbers`)

results.sections = []
const sweeps = options.only.includes('sweeps') ? [sweepSection(options)] : []
for (const { name, title, contenders } of [...ourSections(options), ...(await cudaSections()), ...sweeps]) {
  const peers = name === 'peers' && options.peers ? peerContenders(options) : []
  say(`${title}: ${contenders.length + peers.length} jobs, warming up …`)
  const measurements = await measureInTurns([...contenders, ...peers], machine, options.rounds, say)
  results.sections.push({ name, title, measurements })
}
if (options.only.includes('process')) {
  say('the whole command …')
  results.process = await measureWholeProcess(options)
}
if (options.only.includes('history')) results.history = await measureHistory(options, say)
await writeReport(results, options)

async function cudaSections() {
  if (!options.only.includes('cuda')) return []
  const section = await cudaSection(options)
  if (section.missing === undefined) return [section]
  say(`without the CUDA core: ${section.missing}`)
  return []
}

function say(message) {
  process.stderr.write(`${message}\n`)
}

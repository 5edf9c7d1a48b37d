import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { outcomeOf } from '../core/campaign.mjs'
import { eigenae, isCrash, startEigenae, summaryOf } from '../core/command.mjs'
import { differenceOf, readIfPresent } from '../core/workplace.mjs'

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP']
const epochs = 5

/** Wide enough that its layers take several time slices to measure, so that a stop can meet an epoch that is being written. */
const widths = [784, 256, 4]

/**
 * `train` receives a signal when it prints the line of an epoch, or some milliseconds later. It must save that epoch and name
 * the one that is on the disk. A resume must start after it and give the bytes of an undisturbed run.
 */
export const stops = {
  name: 'stops',
  sample: 4,
  prepare: async (workplace) => {
    const config = JSON.parse(readFileSync(workplace.config, 'utf8'))
    const file = workplace.path('wide.json')
    writeFileSync(file, JSON.stringify({ ...config, model: { widths }, train: { ...config.train, epochs } }))
    const args = (out, ...more) => ['train', '--config', file, '--out', out, '--threads', '1', ...more]
    const reference = await workplace.reference('wide-run', (folder) => args(folder))
    return {
      tries: 40,
      attempt: async (number, choice) => {
        const out = join(workplace.newFolder(), 'run')
        const epoch = 1 + (number % epochs)
        const signal = choice.of(signals)
        const delay = choice.of([0, 0, choice.below(50)])
        const first = await stoppedAfter(epoch, args(out), signal, delay)
        const { outcome, ended } = await verdictOf(first, out, reference, () =>
          eigenae(args(out, '--resume')),
        )
        return { outcome, detail: `${signal} ${delay} ms after the line of epoch ${epoch}: ${ended}` }
      },
    }
  },
}

async function stoppedAfter(epoch, args, signal, delay) {
  const { child, output, ended } = startEigenae(args)
  const line = new RegExp(`^epoch +${epoch}/`, 'm')
  const seen = async () => {
    if (!line.test(output.stderr)) return
    child.stderr.off('data', seen)
    if (delay > 0) await setTimeout(delay)
    child.kill(signal)
  }
  child.stderr.on('data', seen)
  return ended
}

async function verdictOf(first, out, reference, resume) {
  if (first.hung) return { outcome: 'hung', ended: summaryOf(first) }
  if (isCrash(first)) return { outcome: 'crashed', ended: summaryOf(first) }
  // The run may have ended before the signal came.
  if (first.code === 0) return outcomeOf(first, differenceOf(out, reference))
  const printed = [...first.stderr.matchAll(/^epoch +(\d+)\//gm)].length
  const named = Number(/interrupted; epoch (\d+) of \d+ is saved/.exec(first.stderr)?.[1] ?? 0)
  const saved = savedEpoch(out)
  if (first.code !== 130 || saved < printed)
    return { outcome: 'lost', ended: `${printed} epochs printed, ${saved} saved; ${summaryOf(first)}` }
  if (named !== saved) return { outcome: 'silent', ended: `${saved} epochs saved; ${summaryOf(first)}` }
  const resumed = await resume()
  if (!resumed.stderr.includes(`resuming after epoch ${saved}\n`))
    return { outcome: 'lost', ended: `resumed, but not after epoch ${saved}: ${summaryOf(resumed)}` }
  const verdict = outcomeOf(resumed, resumed.code === 0 ? differenceOf(out, reference) : null)
  return { ...verdict, ended: `resumed: ${verdict.ended}` }
}

/** Returns the epoch in the checkpoint's header, which is JSON after its length in eight bytes; 0 without a checkpoint. */
function savedEpoch(out) {
  const bytes = readIfPresent(join(out, 'checkpoint/state.safetensors'))
  if (bytes === null) return 0
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE()))
  return Number(JSON.parse(header.toString()).__metadata__.epoch)
}

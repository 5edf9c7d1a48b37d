/**
 * Runs the command line with injected faults and counts the outcomes (docs/reliability.md):
 *
 *   npm run test:faults [-- --campaign NAME --tries N --seed S --only TRY --sample]
 *
 * The exit code is 1 if anything was lost, silently wrong, hung or crashed. --sample makes a few tries of each campaign,
 * in a few minutes; --only repeats one try of a campaign.
 */
import { parseArgs } from 'node:util'
import { campaigns } from './campaigns/index.mjs'
import { makeTries, rowOf } from './core/campaign.mjs'
import { Workplace } from './core/workplace.mjs'

const shownFailures = 20

const { values: options } = parseArgs({
  options: {
    campaign: { type: 'string', multiple: true },
    tries: { type: 'string' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    sample: { type: 'boolean', default: false },
  },
})

const unknown = (options.campaign ?? []).filter((name) => !campaigns.some((each) => each.name === name))
if (unknown.length > 0) {
  console.error(
    `no campaign ${unknown.join(', ')}; there are ${campaigns.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}

const workplace = new Workplace()
process.on('exit', () => workplace.remove())
let failed = false
for (const campaign of campaigns) {
  if (options.campaign === undefined || options.campaign.includes(campaign.name)) await conduct(campaign)
}
process.exitCode = failed ? 1 : 0

async function conduct(campaign) {
  const { name } = campaign
  const missing = await campaign.missing?.(workplace)
  if (missing) {
    console.log(`${name.padEnd(14)} skipped: ${missing}`)
    failed ||= process.env.CI !== undefined
    return
  }
  const { attempt, tries, close } = await campaign.prepare(workplace)
  try {
    const result = await makeTries({ name, seed: options.seed, tries: numbersOf(campaign, tries), attempt })
    console.log(rowOf(name, result))
    for (const { number, outcome, detail } of result.failed.slice(0, shownFailures))
      console.log(`  ${outcome} --seed ${options.seed} --only ${number}: ${detail}`)
    if (result.failed.length > shownFailures)
      console.log(`  and ${result.failed.length - shownFailures} more`)
    failed ||= result.failed.length > 0
  } finally {
    await close?.()
  }
}

/** Returns the numbers of the tries to make. Those of a sample are spread evenly. */
function numbersOf(campaign, tries) {
  if (options.only !== undefined) return [Number(options.only)]
  const count = options.sample ? campaign.sample : Number(options.tries ?? tries)
  const step = options.sample && tries > count ? tries / count : 1
  return Array.from({ length: count }, (_, index) => Math.floor(index * step))
}

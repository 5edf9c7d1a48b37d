import { type SweepPlans, unchecked } from '../../runs/sweep-plan.js'
import { writeWarning } from '../../text/output.js'

/** Warns of each damaged sweep.json that was read, because its runs could not be compared with it. */
export function warnOfDamagedPlans(plans: SweepPlans): void {
  for (const line of plans.damage) writeWarning(`${line}; ${unchecked}`)
}

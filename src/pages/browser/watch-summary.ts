import { clock, significant } from '../../text/format.js'
import {
  type GpuState,
  type MachineState,
  type Summary,
  statuses,
  sweepText,
  type Tally,
} from '../watch/state.js'

const element = (id: string) => document.getElementById(id)!

/** Shows the counts, the bar and the sweeps. */
export function showSummary({
  counts,
  secondsPerEpoch,
  secondsLeft,
  sweeps,
  unread,
  unreadable,
}: Summary): void {
  const total = statuses.reduce((sum, status) => sum + counts[status], 0)
  const present = statuses.filter((status) => counts[status] > 0)
  const words = present.map((status) => `${counts[status]} ${status}`).join(' · ')
  element('counts').textContent = total > 0 ? `${words} · ${total} in all` : unread === 0 ? 'no runs yet' : ''
  element('bar').setAttribute('aria-label', words)
  element('bar').replaceChildren(
    ...['completed', 'running', 'failed', 'interrupted', 'damaged', 'waiting'].map((status) => {
      const part = document.createElement('span')
      part.className = status
      part.style.flexGrow = String(counts[status as keyof typeof counts])
      return part
    }),
  )
  element('pace').textContent = [
    ...(unread === null ? ['looking for runs …'] : []),
    ...(unread ? [`reading ${unread} more runs …`] : []),
    ...(secondsLeft === null ? [] : [`about ${clock(secondsLeft)} left`]),
    ...(secondsPerEpoch === null ? [] : [`${significant(secondsPerEpoch, 3)} s an epoch`]),
    ...unreadable,
  ].join(' · ')
  element('sweeps').replaceChildren(
    ...sweeps.map((sweep) => {
      const line = document.createElement('p')
      line.textContent = sweepText(sweep)
      return line
    }),
  )
  const [only] = sweeps
  if (sweeps.length === 1 && only?.folder === '.') element('title').textContent = only.name
  document.title = `${total === 0 ? '' : `${counts.completed}/${total} `}${element('title').textContent} – eigenae`
}

/** Shows the GPUs and the jobs of the cluster; nothing if there are none. */
export function showMachine({ gpus, slurm }: MachineState): void {
  element('machine').replaceChildren(
    ...gpus.map(gpuElement),
    ...(slurm === null ? [] : [slurmElement(slurm)]),
  )
}

function gpuElement({ index, name, utilisation, usedMiB, totalMiB, temperature }: GpuState): HTMLElement {
  const line = document.createElement('span')
  const memory =
    usedMiB === null || totalMiB === null
      ? ''
      : ` ${(usedMiB / 1024).toFixed(1)} of ${(totalMiB / 1024).toFixed(0)} GiB`
  const meter = document.createElement('meter')
  meter.max = 100
  meter.value = utilisation ?? 0
  line.append(
    `GPU ${index}, ${name} `,
    meter,
    ` ${utilisation ?? '–'} %${memory}${temperature === null ? '' : `, ${temperature} °C`}`,
  )
  return line
}

function slurmElement({ states, reasons, nodes }: NonNullable<MachineState['slurm']>): HTMLElement {
  const line = document.createElement('span')
  const list = (tallies: readonly Tally[]) => tallies.map(({ name, count }) => `${count} ${name}`).join(', ')
  const waiting = reasons.length === 0 ? '' : `; pending for ${list(reasons)}`
  const where =
    nodes.length === 0 ? '' : `; on ${nodes.length > 4 ? `${nodes.length} nodes` : nodes.join(', ')}`
  line.textContent = `Slurm: ${states.length === 0 ? 'no tasks' : list(states)}${waiting}${where}`
  return line
}

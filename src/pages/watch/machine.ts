import { hasCode } from '../../errors.js'
import { groupBy } from '../../group-by.js'
import { listTasks, type Task } from '../../launchers/slurm/commands.js'
import { queryGpus } from '../../setup/nvidia.js'
import type { GpuState, MachineState, SlurmState, Tally } from './watch-format.js'

const fields = ['index', 'name', 'utilization.gpu', 'memory.used', 'memory.total', 'temperature.gpu']
const timeoutMilliseconds = 10_000

// squeue asks the cluster's controller, which serves all users.
const slurmMilliseconds = 30_000

/** Asks nvidia-smi and squeue, each no more often than it can take, and not again if it is not installed. */
export class Machine {
  readonly #signal: AbortSignal
  #refreshing: Promise<void> | null = null
  #state: MachineState = { gpus: [], slurm: null }
  #hasGpus = true
  #hasSlurm = true
  #nextSlurm = 0

  /** @param signal ends the questions that are not answered yet */
  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  get state(): MachineState {
    return this.#state
  }

  /** Asks again; if the last questions are not answered yet, waits for them and asks nothing. */
  refresh(): Promise<void> {
    this.#refreshing ??= Promise.all([this.#queryGpus(), this.#querySlurm()]).then(([gpus, slurm]) => {
      this.#refreshing = null
      this.#state = { gpus, slurm }
    })
    return this.#refreshing
  }

  async #queryGpus(): Promise<readonly GpuState[]> {
    if (!this.#hasGpus) return []
    try {
      const options = { timeout: timeoutMilliseconds, signal: this.#signal }
      return (await queryGpus(fields, options)).map(gpuOf)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) this.#hasGpus = false
      return []
    }
  }

  async #querySlurm(): Promise<SlurmState | null> {
    const { slurm } = this.#state
    if (!this.#hasSlurm || performance.now() < this.#nextSlurm) return slurm
    const tasks = await listTasks(this.#signal)
    this.#nextSlurm = performance.now() + slurmMilliseconds
    // Without an answer at the first time there is no Slurm; later, its controller is only busy.
    this.#hasSlurm = tasks !== null || slurm !== null
    return tasks === null ? slurm : tally(tasks)
  }
}

/** Fields without a value are "[N/A]". */
function gpuOf([index, name, ...values]: readonly string[]): GpuState {
  const numbers = values.map(Number).map((value) => (Number.isFinite(value) ? value : null))
  const [utilisation = null, usedMiB = null, totalMiB = null, temperature = null] = numbers
  return { index: index!, name: name!, utilisation, usedMiB, totalMiB, temperature }
}

/** Counts the tasks of eigenae's arrays, which their comments name. */
function tally(tasks: readonly Task[]): SlurmState {
  const own = tasks.filter(({ comment }) => comment.startsWith('eigenae '))
  const pending = own.filter(({ state }) => state === 'PENDING')
  const running = own.filter(({ state }) => state === 'RUNNING')
  return {
    states: talliesOf(own.map(({ state }) => state)),
    reasons: talliesOf(pending.map(({ reason }) => reason)),
    nodes: [...new Set(running.map(({ node }) => node))].sort(),
  }
}

function talliesOf(names: readonly string[]): readonly Tally[] {
  const tallies = [...groupBy(names, (name) => name)].map(([name, { length }]) => ({ name, count: length }))
  return tallies.sort((a, b) => b.count - a.count)
}

import { beforeAll, describe, expect, it } from 'vitest'
import { call, scratchFolder } from './support/cli.js'
import { oddSlurm } from './support/odd-slurm.js'
import { readJson, tinyConfigs, until, writeJson } from './support/sweeps.js'

const scratch = scratchFolder()
const file = (name: string) =>
  writeJson(scratch(`${name}.json`), { name, variants: { none: 'none.json' }, seeds: [0, 1, 2] })
const sweep = (name: string, env: Readonly<Record<string, string>>, ...more: readonly string[]) =>
  call(['sweep', '--config', file(name), '--out', scratch(name, 'runs'), '--launcher', 'slurm', ...more], {
    env,
  })
const runs = ['none/seed-0', 'none/seed-1', 'none/seed-2']

describe('a sweep on an unreliable cluster', () => {
  beforeAll(() => tinyConfigs(scratch(), 30))

  it('finds the number after a greeting, and keeps a task that squeue does not list once', async () => {
    const { code, stderr } = await sweep('greeted', oddSlurm(scratch('greeting')))
    expect(stderr).toContain('submitted 2 tasks as job array 1')
    expect(stderr).toContain('submitted 1 task as job array 2')
    expect(stderr).toContain('3 runs completed in')
    expect(code).toBe(0)
  })

  it('prints which jobs continue if a later array is refused', async () => {
    const env = { ...oddSlurm(scratch('refusing')), REFUSED_ARRAY: '2' }
    const { code, stderr } = await sweep('refused', env)
    expect(stderr).toContain('follow them with --resume, end them with scancel 1')
    expect(stderr).toContain('sbatch refused the jobs: sbatch: error: Job violates accounting/QOS policy')
    expect(code).toBe(1)
    // The runs must end before their folder is removed.
    for (const run of runs.slice(0, 2)) {
      const status = () => readJson(scratch('refused', 'runs', run, 'run.json')).status
      await until(() => (status() === 'completed' ? true : null), `the end of ${run}`)
    }
  })

  it('rejects an option that identifies its own tasks', async () => {
    const { code, stderr } = await sweep('own', {}, '--sbatch-arg=--comment=mine')
    expect(stderr).toContain('--sbatch-arg: --comment=mine is set by the sweep itself')
    expect(code).toBe(2)
  })
})

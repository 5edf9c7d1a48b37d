import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eigenae, scratchFolder, start } from '../support/cli.js'
import { holdAt } from '../support/hold.js'
import { describeUnless, skipsWithout } from '../support/requirements.js'
import { expectSameRuns, tinyConfigs, until, writeJson, writerOf } from '../support/sweeps.js'
import { noScript } from '../support/terminal.js'
import { type Cluster, noSlurm, startCluster } from './slurm/cluster.js'

const scratch = scratchFolder()
const variants = { none: 'none.json', eigen: 'eigen.json' }
const long = ['--set', 'train.epochs=10']
let cluster: Cluster

const config = (name: string, seeds: readonly number[], arms: object = variants) =>
  writeJson(scratch(`${name}.json`), { name, variants: arms, seeds })
const argsFor = (name: string, ...more: readonly string[]) => [
  ...['sweep', '--config', scratch(`${name}.json`), '--out', scratch(name)],
  ...['--launcher', 'slurm', '--mem', '1000', ...more],
]
const sweep = (name: string, ...more: readonly string[]) =>
  eigenae(argsFor(name, ...more), { env: cluster.env })
const logOf = (name: string, run: string) => readFileSync(scratch(name, run, 'train.log'), 'utf8')
/** Returns the task that trains a run, in the notation of scontrol and scancel. */
const taskOf = (name: string, run: string) => {
  const list = readFileSync(scratch(name, 'slurm', 'array-1.txt'), 'utf8').split('\n')
  const index = list.findIndex((folder) => folder.endsWith(run))
  const [array] = cluster
    .run('squeue', '-h', '-o', '%A')
    .split('\n')
    .sort((a, b) => Number(a) - Number(b))
  return `${cluster.run('squeue', '-h', '-j', array!, '-o', '%F').split('\n')[0]}_${index}`
}

describeUnless(noSlurm, 'the launcher slurm on a real cluster', () => {
  let undisturbed: string

  beforeAll(async () => {
    cluster = startCluster()
    tinyConfigs(scratch(), 3)
    undisturbed = scratch('undisturbed')
    const arms = config('local', [0])
    await eigenae(['sweep', '--config', arms, '--out', undisturbed, ...long])
  })
  afterAll(() => cluster.stop())

  it('submits and exits with --detach, and attaches to the same jobs with --resume', async () => {
    config('detached', [0], { eigen: 'eigen.json' })
    const hold = holdAt(3)
    const detached = await eigenae(argsFor('detached', '--detach', ...long), {
      env: { ...cluster.env, ...hold.env },
    })
    expect(detached.code).toBe(0)
    expect(detached.stderr).toMatch(/submitted 1 tasks? as job array \d+/)
    expect(detached.stderr).toMatch(/follow them with --resume, end them with scancel \d+/)
    const writer = await hold.reached()
    const resuming = start(argsFor('detached', '--resume', ...long), { env: cluster.env })
    await resuming.untilPrinted('attached to 1 task')
    process.kill(writer, 'SIGCONT')
    const { code, stderr } = await resuming.finished
    expect(code).toBe(0)
    expect(stderr).not.toContain('submitted')
    expect(logOf('detached', 'eigen/seed-0').match(/--- attempt/g)?.length).toBe(1)
    await expectSameRuns(['eigen/seed-0'], scratch('detached'), undisturbed)
  })

  it('trains the next rungs of a halving with --resume after --detach', async () => {
    const halving = { metric: 'test_mse', epochs: [1, 3], keep: 0.4, chooseOnTest: true }
    const search = { trials: 2, space: { 'optimizer.learningRate': { log: [0.001, 0.03] } }, halving }
    writeJson(scratch('rungs.json'), { name: 'rungs', variants: { eigen: 'eigen.json' }, search })
    const { stderr } = await sweep('rungs', '--detach')
    expect(stderr).toContain('the next rung starts with --resume')
    expect((await sweep('rungs', '--resume')).code).toBe(0)
    const plain = ['sweep', '--config', scratch('rungs.json'), '--out', scratch('rungs-plain')]
    expect((await eigenae(plain)).code).toBe(0)
    await expectSameRuns(
      ['eigen,trial-001/seed-0', 'eigen,trial-002/seed-0'],
      scratch('rungs'),
      scratch('rungs-plain'),
    )
  })

  it('leaves the jobs running on SIGTERM without a terminal', async () => {
    config('left', [0], { eigen: 'eigen.json' })
    const hold = holdAt(3)
    const running = start(argsFor('left', ...long), { env: { ...cluster.env, ...hold.env } })
    const writer = await hold.reached()
    running.process.kill('SIGTERM')
    const { code, stderr } = await running.finished
    process.kill(writer, 'SIGCONT')
    expect(code).toBe(130)
    expect(stderr).toContain('the jobs continue under Slurm')
    expect((await sweep('left', '--resume', ...long)).stderr).toMatch(/attached to 1 task |1 run, 1 done/)
    await expectSameRuns(['eigen/seed-0'], scratch('left'), undisturbed)
  })

  it.skipIf(skipsWithout(noScript))(
    'asks on Ctrl-C in a terminal whether to cancel the jobs, and cancels them',
    async () => {
      config('asked', [0, 1, 2])
      const bin = join(import.meta.dirname, '../../bin/eigenae.js')
      const command = [
        process.execPath,
        bin,
        ...argsFor('asked', '--max-parallel', '1', '--set', 'train.epochs=1000000'),
      ].join(' ')
      const env = { ...process.env, ...cluster.env }
      const terminal = spawn('script', ['-qec', command, '/dev/null'], { env })
      let shown = ''
      terminal.stdout.on('data', (chunk) => {
        shown += chunk
      })
      const ended = new Promise((resolve) => terminal.on('close', resolve))
      await writerOf(scratch('asked', 'none/seed-0'), 3)
      terminal.stdin.write('\x03')
      await until(() => (shown.includes('leave them running') ? true : null), 'the question')
      terminal.stdin.write('c\r')
      expect(await ended).toBe(130)
      expect(shown).toContain('0 runs completed, 6 left')
      expect(cluster.run('squeue', '-h', '--me', '-t', 'PD,R')).toBe('')
    },
  )

  it('resumes from the checkpoint after Slurm has requeued a job', async () => {
    const name = `requeued-${Date.now()}`
    config(name, [0])
    const hold = holdAt(5, { run: 'eigen/seed-0', release: ['SIGTERM'] })
    const running = start(argsFor(name, ...long), { env: { ...cluster.env, ...hold.env } })
    await hold.reached()
    const task = taskOf(name, 'eigen/seed-0')
    cluster.run('scontrol', 'requeue', task)
    await running.untilPrinted('eigen/seed-0: waiting again')
    // Slurm would wait two minutes. A start within a second of the requeue fails: "Job credential revoked".
    await setTimeout(2000)
    cluster.run('scontrol', 'update', `jobid=${task}`, 'starttime=now')
    const { code, stderr } = await running.finished
    expect(stderr).not.toContain('failed')
    expect(code).toBe(0)
    expect(logOf(name, 'eigen/seed-0')).toMatch(/interrupted.*--- attempt.*resuming after epoch/s)
    await expectSameRuns(['none/seed-0', 'eigen/seed-0'], scratch(name), undisturbed)
  })

  it('resumes from the checkpoint after a job of higher priority has preempted it', async () => {
    config('preempted', [0], { eigen: 'eigen.json' })
    const hold = holdAt(5, { release: ['SIGTERM'] })
    const running = start(argsFor('preempted', ...long), { env: { ...cluster.env, ...hold.env } })
    await hold.reached()
    const urgent = ['--partition=urgent', '--nodes=2', '--exclusive', '--output=/dev/null']
    cluster.run('sbatch', ...urgent, '--wrap', 'sleep 3')
    await running.untilPrinted('eigen/seed-0: waiting again')
    const task = taskOf('preempted', 'eigen/seed-0')
    await until(() => cluster.run('squeue', '-h', '-p', 'urgent') === '' || null, 'the end of the urgent job')
    cluster.run('scontrol', 'update', `jobid=${task}`, 'starttime=now')
    const { code } = await running.finished
    expect(code).toBe(0)
    expect(logOf('preempted', 'eigen/seed-0')).toMatch(/interrupted.*--- attempt.*resuming after epoch/s)
    await expectSameRuns(['eigen/seed-0'], scratch('preempted'), undisturbed)
  })

  it('waits for the process of a node that Slurm has lost', async () => {
    config('down', [0], { eigen: 'eigen.json' })
    const hold = holdAt(3)
    const running = start(argsFor('down', '--sbatch-arg', '--nodelist=n1', ...long), {
      env: { ...cluster.env, ...hold.env },
    })
    const writer = await hold.reached()
    cluster.killNode('n1')
    cluster.run('scontrol', 'update', 'nodename=n1', 'state=down', 'reason=test')
    const task = taskOf('down', 'eigen/seed-0')
    cluster.run('scontrol', 'update', `jobid=${task}`, 'reqnodelist=n2', 'starttime=now')
    await until(
      () => (logOf('down', 'eigen/seed-0').includes('waiting for it to end') ? true : null),
      'the wait',
    )
    process.kill(writer, 'SIGCONT')
    expect((await running.finished).code).toBe(0)
    cluster.startNode('n1')
    expect(logOf('down', 'eigen/seed-0')).toContain('already complete')
    await expectSameRuns(['eigen/seed-0'], scratch('down'), undisturbed)
  })

  it('reports a cancelled run as failed, and remakes it with --resume', async () => {
    config('cancelled', [0])
    const hold = holdAt(5, { run: 'eigen/seed-0', release: ['SIGTERM'] })
    const running = start(argsFor('cancelled', ...long), { env: { ...cluster.env, ...hold.env } })
    await hold.reached()
    cluster.run('scancel', taskOf('cancelled', 'eigen/seed-0'))
    const { code, stderr } = await running.finished
    expect(stderr).toMatch(/eigen\/seed-0: failed: cancelled in Slurm/)
    expect(code).toBe(1)
    expect((await sweep('cancelled', '--resume', ...long)).code).toBe(0)
    await expectSameRuns(['none/seed-0', 'eigen/seed-0'], scratch('cancelled'), undisturbed)
  })

  it('gives each run its own GPU, and keeps to --max-parallel and to the maximum array size', async () => {
    config('gpus', [0, 1, 2, 3, 4])
    const { code, stderr } = await sweep('gpus', '--gpus-per-run', '1', '--max-parallel', '2', '--detach')
    expect(code).toBe(0)
    expect(stderr.match(/submitted \d tasks/g)).toEqual(['submitted 8 tasks', 'submitted 2 tasks'])
    const shown = cluster.run('scontrol', 'show', 'job', '-o')
    expect(shown).toContain('TresPerNode=gres:gpu:1')
    expect(shown).toContain('ArrayTaskThrottle=2')
    expect(shown).toMatch(/Dependency=afterany/)
    expect((await sweep('gpus', '--resume', '--gpus-per-run', '1')).code).toBe(0)
  })

  it('reports which flag to change if a job used more than its memory', async () => {
    config('memory', [0], { eigen: 'eigen.json' })
    const { code, stderr } = await sweep('memory', '--mem', '40', '--set', 'train.epochs=1000000')
    expect(code).toBe(1)
    expect(stderr).toMatch(/eigen\/seed-0: failed: out of memory.*--mem/)
  })

  it('prints the message of sbatch if it refuses, and fails without a cluster', async () => {
    config('refused', [0])
    const refused = await sweep('refused', '--partition', 'nowhere')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/sbatch refused the jobs: .*[Pp]artition/)
    const nowhere = await eigenae(argsFor('none'), { env: { SLURM_CONF: '/nowhere/slurm.conf' } })
    expect(nowhere.code).toBe(2)
  })
})

// Preloaded into the command line by tests/system/cuda-host.test.ts: a process that trains writes the milliseconds of CPU time of
// its main thread and of all its threads to EIGENAE_TEST_CPU when it ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

if (isMainThread && ['train', 'sweep-runner'].includes(process.argv[2])) {
  process.on('exit', () => {
    // Nanoseconds on a processor, then others.
    const main = Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
    const { user, system } = process.cpuUsage()
    writeFileSync(process.env.EIGENAE_TEST_CPU, JSON.stringify({ main, all: (user + system) / 1e3 }))
  })
}

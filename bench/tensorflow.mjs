// Measures the milliseconds of a training step on tensorflow-cpu: this project's graph and the same network by the idiomatic API of
// @tensorflow/tfjs-node-gpu (optimizer.minimize), on the same addon, in turns, each in a process of its own.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '200' },
    threads: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(options.rounds)
const contenders = ['graph', 'tfjs']

async function main() {
  const processes = contenders.map((name) => new Contender(name))
  try {
    for (const each of processes) await each.measure()
    const milliseconds = Object.fromEntries(contenders.map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const each of processes) milliseconds[each.name].push(await each.measure())
    }
    report(milliseconds)
  } finally {
    for (const each of processes) each.end()
  }
}

class Contender {
  constructor(name) {
    this.name = name
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' }
    if (name === 'tfjs')
      Object.assign(env, {
        TF_NUM_INTRAOP_THREADS: options.threads,
        CUDA_VISIBLE_DEVICES: '-1',
        NODE_PATH: fileURLToPath(new URL('../node_modules', import.meta.url)),
      })
    const file = name === 'tfjs' ? 'tfjs-loop.mjs' : 'engine-loop.mjs'
    const args = [options.steps, options.threads]
    this.child = fork(new URL(`./tensorflow/${file}`, import.meta.url), args, { env })
  }

  /** Returns the milliseconds of a step, the mean of an epoch of `steps` steps. */
  measure() {
    return new Promise((resolve, reject) => {
      this.child.once('exit', (code) => reject(new Error(`${this.name} ended with ${code}`)))
      this.child.once('message', (answer) => {
        this.child.removeAllListeners('exit')
        if (answer.error) reject(new Error(answer.error))
        else resolve(answer.milliseconds)
      })
      this.child.send('measure')
    })
  }

  end() {
    this.child.removeAllListeners('exit')
    this.child.disconnect()
  }
}

function report(milliseconds) {
  const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
  const ratios = milliseconds.graph.map((value, round) => milliseconds.tfjs[round] / value)
  const summary = {
    threads: Number(options.threads),
    milliseconds,
    median: Object.fromEntries(contenders.map((name) => [name, median(milliseconds[name])])),
    best: Object.fromEntries(contenders.map((name) => [name, Math.min(...milliseconds[name])])),
    tfjsOverGraph: median(ratios),
  }
  if (options.json) return console.log(JSON.stringify(summary, null, 2))
  console.log(
    `eigen arm, batch 64, ${options.steps} steps a round, ${rounds} rounds, ${options.threads} threads`,
  )
  for (const name of contenders) {
    console.log(
      `${name.padEnd(6)} ${summary.median[name].toFixed(2)} ms a step (best ${summary.best[name].toFixed(2)})`,
    )
  }
  console.log(`the graph is ${summary.tfjsOverGraph.toFixed(1)} times as fast as optimizer.minimize`)
}

await main()

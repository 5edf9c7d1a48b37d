import { parseArgs } from 'node:util'

export const parts = ['peers', 'arms', 'losses', 'growth', 'cuda', 'process', 'sweeps']
/** Measured only if it is asked for, because it builds another commit. */
const history = 'history'

const help = `usage: npm run bench -- [options]

  --only PARTS   comma-separated list of ${parts.join(', ')} (default: all these), ${history}
  --against COMMIT  measure ${history}: the build of this commit trains in turns with this one
  --rounds N     number of measurements of each job, in turns (default: 7)
  --epochs N     epochs of the train command (default: 10)
  --images N     train on the first N images (default: 60000)
  --quick        check that the benchmark works: few images, 2 rounds, no files
  --no-peers     measure this project alone, without JAX and PyTorch
  --out FOLDER   folder for the results (default: bench/results, none with --quick)

EIGENAE_BENCH_PYTHON names a Python that has the packages of bench/peers/requirements.txt. If it is not set, they are
installed into bench/.venv.`

export function readOptions() {
  const values = parsed()
  const quick = values.quick
  const only = values.only?.split(',') ?? (values.against === undefined ? parts : [...parts, history])
  const unknown = only.filter((part) => ![...parts, history].includes(part))
  if (unknown.length > 0) fail(`--only takes ${[...parts, history].join(', ')}, not ${unknown.join(', ')}`)
  if (only.includes(history) !== (values.against !== undefined))
    fail(`--only ${history} and --against COMMIT belong together`)
  return {
    only,
    quick,
    against: values.against,
    peers: !values['no-peers'],
    rounds: wholeNumber('--rounds', values.rounds ?? (quick ? '2' : '7')),
    epochs: wholeNumber('--epochs', values.epochs ?? (quick ? '2' : '10')),
    images: wholeNumber('--images', values.images ?? (quick ? '3000' : '60000')),
    out: values.out ?? (quick ? null : new URL('results/', import.meta.url).pathname),
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
  }
}

function parsed() {
  const flag = { type: 'boolean', default: false }
  const text = { type: 'string' }
  try {
    const { values } = parseArgs({
      options: {
        ...{ only: text, against: text, rounds: text, epochs: text, images: text, out: text },
        ...{ quick: flag, 'no-peers': flag, help: flag },
      },
    })
    if (!values.help) return values
  } catch (error) {
    fail(error.message)
  }
  console.log(help)
  process.exit(0)
}

function wholeNumber(flag, text) {
  if (!/^[1-9]\d*$/.test(text)) fail(`${flag} must be a whole number from 1, not "${text}"`)
  return Number(text)
}

function fail(message) {
  console.error(`bench: ${message}`)
  process.exit(2)
}

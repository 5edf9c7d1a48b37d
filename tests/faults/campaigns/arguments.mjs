import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bin, eigenae, isCrash, run, summaryOf } from '../core/command.mjs'

const hostile = {
  path: [
    '',
    '.',
    '..',
    '/',
    '/dev/null',
    '/dev/zero',
    '/dev/full',
    '/proc/self/mem',
    'a/../../..',
    '~',
    '-',
    '--',
    ' ',
    'x'.repeat(300),
    'deep/'.repeat(1000),
    'new\nline',
    '\u001b]0;title\u0007',
    '\u001b[2J\u001b[31m',
    '\u202egpj.exe',
    '\ud800',
    '%s%n',
    "'; touch hit; '",
    '$(touch hit)',
    '=cmd()',
    '<script>',
    'run',
    'run/metrics.csv',
  ],
  number: [
    '',
    '0',
    '-0',
    '-1',
    '1e999',
    'NaN',
    'Infinity',
    '0x10',
    '1_000',
    '١',
    '1.5',
    ' 1',
    '1 ',
    '99999999999999999999',
    '1e-400',
    'null',
  ],
  setting: [
    'seed',
    '=',
    '=1',
    'seed=',
    'seed==1',
    'seed=1e999',
    'seed=-0',
    'seed=0x10',
    '__proto__.polluted=1',
    'constructor.prototype.polluted=1',
    'train.epochs=NaN',
    'train.epochs=1e999',
    'train.batchSize=-1',
    'model.widths=[]',
    'model.widths=[784,-1]',
    'model.widths=[784,1e10,4]',
    `model.widths=[784,${'2,'.repeat(500)}4]`,
    'model.widths="784"',
    'name=../../escape',
    'name="\\u001b[2J"',
    `name=${'x'.repeat(400)}`,
    'name=\u001b[31mred',
    'data.source=/dev/zero',
    'data.source=\u001b[2J',
    'loss.eigen={"kind":"\\u001b[2J"}',
    `${'a.'.repeat(2000)}b=1`,
    `seed=${'['.repeat(5000)}`,
    '\u001b[2J=1',
  ],
  word: ['', '\u001b[2J', 'x'.repeat(10_000), '__proto__', 'constructor', 'toString', '-1', '--help'],
}

/** Each command with its fixed words, and its options that take a hostile word, by kind. */
const commands = {
  train: {
    usual: ['--config', 'run.json', '--out', 'out/run', '--epochs', '1', '--threads', '1'],
    options: {
      config: 'path',
      out: 'path',
      epochs: 'number',
      seed: 'number',
      threads: 'number',
      set: 'setting',
      device: 'word',
    },
    flags: ['resume', 'overwrite', 'quiet', 'json'],
  },
  sweep: {
    usual: ['--config', 'sweep.json', '--out', 'out/sweep', '--dry-run'],
    options: {
      config: 'path',
      out: 'path',
      set: 'setting',
      jobs: 'number',
      threads: 'number',
      retries: 'number',
      launcher: 'word',
      device: 'word',
    },
    flags: ['resume', 'json'],
  },
  compare: {
    usual: ['run'],
    options: { baseline: 'path', out: 'path', metric: 'word' },
    flags: ['json'],
    operand: 'path',
  },
  runs: { usual: [], options: {}, flags: ['json'], operand: 'path' },
  plot: { usual: [], options: { out: 'path' }, flags: [], operand: 'path' },
  eval: {
    usual: ['run'],
    options: {
      data: 'path',
      split: 'word',
      noise: 'number',
      images: 'number',
      device: 'word',
      threads: 'number',
    },
    flags: ['json'],
    operand: 'path',
  },
  embed: {
    usual: ['run'],
    options: { out: 'path', data: 'path', noise: 'number', images: 'number', split: 'word' },
    flags: [],
    operand: 'path',
  },
  export: {
    usual: ['run'],
    options: { out: 'path', format: 'word', part: 'word' },
    flags: [],
    operand: 'path',
  },
  explore: { usual: ['run'], options: { out: 'path', images: 'number' }, flags: [], operand: 'path' },
  completion: { usual: [], options: {}, flags: [], operand: 'word' },
  data: { usual: ['verify'], options: { mirror: 'word', timeout: 'number' }, flags: [], operand: 'path' },
}

const allowedCodes = [0, 1, 2]

// Characters that control a terminal: all control characters but tab and newline, and those that change the text direction.
const controls = /[^\P{Cc}\t\n]|\p{Bidi_Control}/u

/**
 * Commands receive hostile words as values. They must end in time with exit code 0, 1 or 2, print no stack trace and no
 * control character, and create nothing outside their folder.
 */
export const hostileArguments = {
  name: 'arguments',
  sample: 30,
  prepare: async (workplace) => {
    const reference = await workplace.referenceRun()
    return {
      tries: 500,
      attempt: async (_, choice) => {
        const folder = workplace.newFolder()
        const place = join(folder, 'place')
        cpSync(reference, join(place, 'run'), { recursive: true })
        for (const name of ['run.json', 'none.json', 'sweep.json'])
          cpSync(workplace.path(name), join(place, name))
        const args = argumentsBy(choice)
        const result = await runConfined(args, place, workplace)
        const { outcome, why } = judge(result, readdirSync(folder).join() === 'place')
        rmSync(folder, { recursive: true })
        return { outcome, detail: `eigenae ${JSON.stringify(args).slice(0, 300)}: ${why}` }
      },
    }
  },
}

function argumentsBy(choice) {
  const name = choice.of(Object.keys(commands))
  const { usual, options, flags, operand } = commands[name]
  const args = choice.chance(0.7) ? [...usual] : []
  for (let count = choice.between(1, 3); count > 0; count--) {
    const option = choice.of(
      [...Object.keys(options), ...(operand ? ['operand'] : [])].concat(flags.length > 0 ? ['flag'] : []),
    )
    if (option === 'flag') args.push(`--${choice.of(flags)}`)
    else if (option === 'operand') args.push(choice.of(hostile[operand]))
    else args.push(`--${option}`, choice.of(hostile[options[option]]))
  }
  if (choice.chance(0.05)) args.splice(choice.below(args.length + 1), 0, choice.of(hostile.word))
  return [name, ...args].map((word) => word.replaceAll('\0', ''))
}

/** For root, everything outside the workplace is mounted read-only, because a path like "/" must not be overwritten. */
function runConfined(args, cwd, workplace) {
  if (process.getuid() !== 0) return eigenae(args, { cwd })
  const shell = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && cd "$1" && shift && exec "$@"'
  return run('unshare', ['--mount', 'sh', '-c', shell, workplace.folder, cwd, process.execPath, bin, ...args])
}

function judge(result, alone) {
  if (result.hung) return { outcome: 'hung', why: summaryOf(result) }
  if (isCrash(result) || !allowedCodes.includes(result.code))
    return { outcome: 'crashed', why: `${summaryOf(result)} ${result.stderr.slice(0, 600)}` }
  const shown = result.stdout + result.stderr
  if (controls.test(shown)) return { outcome: 'raw', why: JSON.stringify(shown.slice(0, 300)) }
  if (!alone) return { outcome: 'lost', why: 'something was made outside its folder' }
  return { outcome: result.code === 0 ? 'survived' : 'refused', why: summaryOf(result) }
}

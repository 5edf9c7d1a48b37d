import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../../..')
export const bin = join(root, 'bin/eigenae.js')

/** Longer than any call takes on a busy machine, so that a longer call counts as hung. */
const patienceSeconds = 60

/**
 * Starts a program. `ended` resolves to its exit code and output, with `hung` set if it was killed because it took longer
 * than the given number of seconds.
 */
export function start(program, args, { cwd, env = {}, seconds = patienceSeconds } = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text) => {
      output[name] += text
    })
  }
  let hung = false
  const limit = setTimeout(() => {
    hung = true
    child.kill('SIGKILL')
  }, 1000 * seconds)
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      clearTimeout(limit)
      resolve({ code, signal, hung, ...output })
    })
  })
  return { child, output, ended }
}

export function run(program, args, options) {
  return start(program, args, options).ended
}

/** Runs the command line in a process of its own. */
export function startEigenae(args, options) {
  return start(process.execPath, [bin, ...args], options)
}

export function eigenae(args, options) {
  return startEigenae(args, options).ended
}

/** Output that no user should see: a stack trace, a dump of an object, or a crash report of V8. */
export function isCrash({ stderr, signal }) {
  const stack = /^\s+at .+[:(]\d+:\d+\)?$|^node:internal|FATAL ERROR|Segmentation fault|terminate called/m
  return signal !== null || stack.test(stderr)
}

/** Returns the exit code and the first line of stderr, for a report. */
export function summaryOf({ code, signal, hung, stderr }) {
  const end = hung ? 'hung' : signal === null ? `exit code ${code}` : `killed by ${signal}`
  const line =
    stderr.split('\n').find((each) => each.startsWith('eigenae: ')) ?? stderr.trim().split('\n').at(-1)
  return line ? `${end}: ${line.slice(0, 300)}` : end
}

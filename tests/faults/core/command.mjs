import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../../..')
export const bin = join(root, 'bin/eigenae.js')

/** Longer than any call takes on a busy machine: what is not done by then hangs. */
const patienceSeconds = 60

/**
 * Starts a program; `ended` gives how it ended and what it printed. `hung`: it was killed, as it took more than the
 * given number of seconds.
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

/** The real command line in a process of its own. */
export function startEigenae(args, options) {
  return start(process.execPath, [bin, ...args], options)
}

export function eigenae(args, options) {
  return startEigenae(args, options).ended
}

/** What no user should ever see: a stack, a dump of an object, or V8's last words. */
export function isCrash({ stderr, signal }) {
  const stack = /^\s+at .+[:(]\d+:\d+\)?$|^node:internal|FATAL ERROR|Segmentation fault|terminate called/m
  return signal !== null || stack.test(stderr)
}

/** How a command ended, for a report: its exit code and the first line of what it said. */
export function summaryOf({ code, signal, hung, stderr }) {
  const end = hung ? 'hung' : signal === null ? `exit code ${code}` : `killed by ${signal}`
  const line =
    stderr.split('\n').find((each) => each.startsWith('eigenae: ')) ?? stderr.trim().split('\n').at(-1)
  return line ? `${end}: ${line.slice(0, 300)}` : end
}

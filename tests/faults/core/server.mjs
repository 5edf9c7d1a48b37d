import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const program = join(import.meta.dirname, 'served.mjs')
const patienceSeconds = 30
const mostResidentKilobytes = 2 << 20
const callsOfOne = 300

/** Makes calls of the command line in a long-lived process, which is replaced after a crash and after some hundred calls. */
export class Server {
  #child = null
  #calls = 0

  /** Returns the same as a separate process would; `hung` is set if the call took too long or too much memory. */
  async call(args, cwd) {
    if (this.#child === null || this.#calls++ >= callsOfOne) this.#begin()
    const child = this.#child
    let hung = false
    const end = () => {
      hung = true
      child.kill('SIGKILL')
    }
    const limit = setTimeout(end, 1000 * patienceSeconds)
    const watch = setInterval(() => residentKilobytes(child.pid) > mostResidentKilobytes && end(), 100)
    child.send({ args, cwd })
    const answer = await child.answer()
    clearTimeout(limit)
    clearInterval(watch)
    if (answer.ended) this.#child = null
    const { code, signal, stdout, stderr } = answer
    return { code, signal: hung ? 'SIGKILL' : signal, hung, stdout, stderr }
  }

  close() {
    this.#child?.kill('SIGKILL')
  }

  #begin() {
    this.close()
    this.#calls = 0
    this.#child = startServed()
  }
}

/** A child process whose `answer` is its next answer, or its exit code if it ended instead. */
function startServed() {
  const child = fork(program, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const answers = []
  let waiting = null
  const give = (answer) => {
    if (waiting === null) answers.push(answer)
    else waiting(answer)
    waiting = null
  }
  createInterface({ input: child.stdout }).on('line', (line) => give({ ...JSON.parse(line), signal: null }))
  // If a call ends its process there are two answers: that of the call, and this one for a call that comes too late.
  child.on('close', (code, signal) => give({ ended: true, code, signal, stdout: '', stderr }))
  child.answer = () =>
    new Promise((resolve) => {
      if (answers.length > 0) resolve(answers.shift())
      else waiting = resolve
    })
  return child
}

function residentKilobytes(pid) {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

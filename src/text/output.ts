import { AsyncLocalStorage } from 'node:async_hooks'
import { writeSync } from 'node:fs'
import { exitCode } from '../errors.js'
import { escapeControls, safeJson } from './controls.js'

const outputFile = new AsyncLocalStorage<number>()

/** Results and messages of `act`, and of all that it starts, go to an open file in place of both streams. */
export function withOutputIn<T>(file: number, act: () => T): T {
  return outputFile.run(file, act)
}

/** Results: what another program reads. */
export function writeResult(text: string): void {
  write(process.stdout, escapeControls(text))
}

export function writeJson(value: unknown): void {
  write(process.stdout, safeJson(value, 2))
}

/** A JSON object in one line, for output that is read line by line. */
export function writeJsonLine(value: unknown): void {
  write(process.stdout, safeJson(value))
}

/** Progress and messages. */
export function writeMessage(text: string): void {
  write(process.stderr, escapeControls(text))
}

/** What is drawn at the foot of the terminal: it gives way to a line and is drawn anew below it. */
export interface Foot {
  writeAbove(write: () => void): void
}

let foot: Foot | null = null

/** Names what is drawn at the foot of the terminal from now on; null: nothing. */
export function setFoot(drawn: Foot | null): void {
  foot = drawn
}

/** Whether the terminal's cursor may stand behind the "^C" that it echoed. */
export function mayFollowEcho(): boolean {
  return foot === null && process.stderr.isTTY && outputFile.getStore() === undefined
}

/** The one place that writes to stdout and stderr, the progress bars apart. */
function write(stream: NodeJS.WriteStream, text: string): void {
  const file = outputFile.getStore()
  if (file !== undefined) writeSync(file, `${text}\n`)
  else if (foot !== null && stream.isTTY) foot.writeAbove(() => stream.write(`${text}\n`))
  else stream.write(`${text}\n`)
}

let worksUnread = 0

/** Until the function that it gives is called, what counts is the files that are written, not who reads the output. */
export function workOnUnread(): () => void {
  worksUnread++
  return () => {
    worksUnread--
  }
}

/** A reader that has seen enough ("eigenae runs | head") is no error. */
export function endQuietlyWhenOutputCloses(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' && worksUnread > 0) return
      if (error.code === 'EPIPE') process.exit()
      if (stream === process.stdout) writeMessage(`eigenae: cannot write the results: ${error.message}`)
      process.exit(exitCode.failed)
    })
  }
}

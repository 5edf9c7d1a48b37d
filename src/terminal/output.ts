import { AsyncLocalStorage } from 'node:async_hooks'
import { writeSync } from 'node:fs'
import { exitCode } from '../errors.js'

const outputFile = new AsyncLocalStorage<number>()

/** Results and messages of `act`, and of all that it starts, go to an open file in place of both streams. */
export function withOutputIn<T>(file: number, act: () => T): T {
  return outputFile.run(file, act)
}

/** Results: what another program reads. */
export function writeResult(text: string): void {
  write(process.stdout, text)
}

export function writeJson(value: unknown): void {
  writeResult(JSON.stringify(value, null, 2))
}

/** Progress and messages. */
export function writeMessage(text: string): void {
  write(process.stderr, text)
}

function write(stream: NodeJS.WriteStream, text: string): void {
  const file = outputFile.getStore()
  if (file === undefined) stream.write(`${text}\n`)
  else writeSync(file, `${text}\n`)
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

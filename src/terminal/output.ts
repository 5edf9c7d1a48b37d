import { writeSync } from 'node:fs'

/** A file that takes the place of both streams, while one is open. */
let log: number | null = null

/** From now on results and messages go to an open file; null gives the streams back. */
export function sendOutputTo(file: number | null): void {
  log = file
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
  if (log === null) stream.write(`${text}\n`)
  else writeSync(log, `${text}\n`)
}

/** A reader that has seen enough ("eigenae runs | head") is no error. */
export function endQuietlyWhenOutputCloses(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit()
    })
  }
}

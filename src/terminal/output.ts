/** Results: what another program reads. */
export function writeResult(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function writeJson(value: unknown): void {
  writeResult(JSON.stringify(value, null, 2))
}

/** Progress and messages. */
export function writeMessage(text: string): void {
  process.stderr.write(`${text}\n`)
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
